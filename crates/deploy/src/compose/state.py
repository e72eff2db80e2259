"""Prints the response of a URL: `python3 - URL`."""

import sys
import urllib.request

# Proxies in the environment are ignored: this URL is requested directly.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(opener.open(sys.argv[1], timeout=5).read().decode())
