"""Requests a path of a server from within a container until it is healthy: `python3 - ADDRESS PORT HOST PATH SECONDS FROM TO`.

A status from FROM to below TO is healthy. Prints the last response as JSON.
"""

import http.client
import json
import sys
import time

address, port, host, path, seconds, low, high = sys.argv[1:]
end = time.monotonic() + float(seconds)
while True:
    connection = http.client.HTTPConnection(address, int(port), timeout=5)
    try:
        # As a proxy requests it that terminates HTTPS: a redirect to HTTPS would reveal nothing.
        connection.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "https"})
        response = {"status": connection.getresponse().status}
    except (OSError, http.client.HTTPException) as error:
        response = {"error": f"{type(error).__name__}: {error}"}
    is_healthy = int(low) <= response.get("status", 0) < int(high)
    if is_healthy or time.monotonic() >= end:
        break
    time.sleep(0.1)
print(json.dumps({"is_healthy": is_healthy, **response}))
