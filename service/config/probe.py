"""A container's health check, `python -I config/probe.py`: is the server in it healthy?

Without Django, which would take a second to start, every few seconds.
"""

import http.client
import os
import sys

PORT = 8000
PATH = "/healthz"
TIMEOUT = 2.5  # Seconds; less than the health check has.


def host() -> str:
    """The first name that the server answers to."""
    names = os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(",")
    names = [name.strip().removeprefix(".") for name in names]
    return next((name for name in names if name and name != "*"), "localhost")


def main(port: int = PORT) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", PATH, headers={"Host": host()})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"{PATH}: {type(error).__name__}: {error}")
        return 1
    finally:
        connection.close()
    print(f"{PATH} answers {status} (as {host()})")
    return 0 if status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
