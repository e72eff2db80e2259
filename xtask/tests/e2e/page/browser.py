"""Reads the page in a real browser: `python3 browser.py ADDRESS FOLDER MESSAGE`.

Takes screenshots in three widths, light and dark, and fails with a line for each defect. With a message, presses the
button first, and expects the message. Speaks WebDriver to Debian's chromedriver, with nothing but the standard library.
"""

import base64
import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

WIDTHS = (360, 800, 1440)
SCHEMES = ("light", "dark")
HEIGHT = 800
TIMEOUT = 300  # Seconds: far more than anything here takes.

AUDIT = Path(__file__).with_name("audit.js").read_text()

# Defects that the audit has to find.
SPOIL = """
document.body.insertAdjacentHTML("beforeend", "<p style='color: #777; background: #999'>faint</p>");
document.body.insertAdjacentHTML("beforeend", "<p style='width: 3000px'>wide</p>");
"""

# A sample that another client has asked for.
REFRESH = """
const time = () => document.querySelector("time").dateTime;
const before = time();
const response = await fetch("/samples", { method: "POST" });
await refresh();
return [response.status, before, time()];
"""


class Browser:
    def __init__(self, driver: str):
        self._url = f"{driver}/session"
        # Chromium's own sandbox does not start as root.
        args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"]
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        session = self._call("POST", "", {"capabilities": {"alwaysMatch": capabilities}})
        self._url += f"/{session['sessionId']}"

    def _call(self, method: str, path: str, body: dict | None = None):
        data = json.dumps(body).encode() if body is not None else None
        request = Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=TIMEOUT) as response:
            return json.load(response)["value"]

    def close(self):
        self._call("DELETE", "")

    def open(self, address: str):
        self._call("POST", "/url", {"url": address})

    def run(self, script: str):
        """The result of the body of an asynchronous function, in the page."""
        promise = f"return (async () => {{ {script} }})()"
        return self._call("POST", "/execute/sync", {"script": promise, "args": []})

    def devtools(self, command: str, **params):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def console(self) -> list[str]:
        """The messages since the last call."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def click(self, selector: str):
        (element,) = self._call("POST", "/element", {"using": "css selector", "value": selector}).values()
        self._call("POST", f"/element/{element}/click", {})

    def show_as(self, width: int, scheme: str):
        metrics = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 600}
        self.devtools("Emulation.setDeviceMetricsOverride", **metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, width: int) -> bytes:
        height = self.run("return document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.devtools("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


@contextmanager
def browser():
    command = ["chromedriver", "--port=0", "--log-level=SEVERE"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        ports = (re.search(r"successfully on port (\d+)", line) for line in driver.stdout)
        port = next(port[1] for port in ports if port)
        browser = Browser(f"http://127.0.0.1:{port}")
        try:
            yield browser
        finally:
            browser.close()
    finally:
        driver.terminate()
        driver.wait()


def defects(browser: Browser, message: str) -> list[str]:
    audit = browser.run(AUDIT)
    found = [f"contrast {text['contrast']:.2f}, at least 4.5 is expected: {text['text']}" for text in audit["faint"]]
    if audit["overflow"]:
        found.append(f"{audit['overflow']} pixels wider than the window")
    found += [f"console: {line}" for line in browser.console()]
    for expected in filter(None, ["Server monitoring", "Admin", "Take a sample", message]):
        if expected not in audit["texts"]:
            found.append(f"not on the page: {expected}")
    print(f"  {len(audit['texts'])} texts, lowest contrast {audit['lowest']:.2f}")
    return found


def main(address: str, folder: str, message: str) -> int:
    failures = []
    with browser() as chromium:
        for scheme in SCHEMES:
            for width in WIDTHS:
                chromium.show_as(width, scheme)
                chromium.open(address)
                if message:
                    chromium.click("form button")
                name = f"{'message' if message else 'page'}-{width}-{scheme}"
                print(name)
                (Path(folder) / f"{name}.png").write_bytes(chromium.screenshot(width))
                failures += [f"{name}: {defect}" for defect in defects(chromium, message)]
        if not message:
            status, before, after = chromium.run(REFRESH)
            if status != 202 or not before < after:
                failures.append(f"the page does not show a new sample: {status}, {before}, {after}")
        chromium.run(SPOIL)
        spoiled = " ".join(defects(chromium, message))
        if not ("faint" in spoiled and "wider than the window" in spoiled):
            failures.append(f"the audit misses defects: {spoiled}")
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
