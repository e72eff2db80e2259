"""Whether a load balancer should send requests to this process."""

from collections.abc import Callable, Iterable
from pathlib import Path

PATH = "/-/rotation"


class Rotation:
    """Answers 200 on PATH, or 404 as long as `hold_file` is there: no new requests, please.

    Before Django, so that neither hosts nor a busy database have a say in it. Whatever else is
    asked for is answered as ever: a load balancer may not have looked yet.
    """

    def __init__(self, application: Callable, hold_file: str):
        self._application = application
        self._hold_file = Path(hold_file) if hold_file else None

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            return self._application(environ, start_response)
        held = self._hold_file is not None and self._hold_file.exists()
        status, body = ("404 Not Found", b"hold\n") if held else ("200 OK", b"go on\n")
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]
