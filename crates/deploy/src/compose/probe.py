"""Asks a server from within a container until it is well: `python3 - ADDRESS PORT HOST PATH SECONDS FROM TO`.

Well is a status from FROM to below TO. Prints the last answer, as JSON.
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
        # As a proxy does that has taken the request over HTTPS: a redirect there would tell nothing.
        connection.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "https"})
        answer = {"status": connection.getresponse().status}
    except (OSError, http.client.HTTPException) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    is_well = int(low) <= answer.get("status", 0) < int(high)
    if is_well or time.monotonic() >= end:
        break
    time.sleep(0.1)
print(json.dumps({"well": is_well, **answer}))
