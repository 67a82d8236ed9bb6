"""A headless Chromium, spoken to over WebDriver's own HTTP: no library between, one window, any size, both themes."""

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

# GitHub's and Debian's names of the same two programs.
CHROMIUM, DRIVER = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)
MISSING = "no Chromium with chromedriver here; install them with `apt-get install -y chromium chromium-driver`"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
START_SECONDS = 60.0


def found(names: tuple[str, ...]) -> str | None:
    """Return the first program of those names."""
    return next((path for path in map(shutil.which, names) if path), None)


def available() -> bool:
    """Whether a browser can be started here."""
    return bool(found(CHROMIUM) and found(DRIVER))


class Browser:
    """One window. Use it in a `with`: it ends its programs."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.profile = tempfile.TemporaryDirectory(prefix="batch-browser-")
        self.driver = subprocess.Popen(
            [found(DRIVER) or "", f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.session = ""
        self.address = ""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def open(self, address: str) -> None:
        """Load a page, and wait until this one is there as a whole: the driver's own wait can end with a part of it."""
        self.run("window.leftBehind = true")
        self._call("POST", "/url", {"url": address})
        self.wait("return !window.leftBehind && document.readyState === 'complete'")

    def resize(self, width: int, height: int) -> None:
        """Give the page this size, whatever the window allows, at one pixel a pixel."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", size)

    def theme(self, scheme: str) -> None:
        """Prefer light or dark, as the system's setting would."""
        self.devtools("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def log_in(self, airflow: str, user: str, password: str) -> None:
        """Take a token from Airflow and carry it as its own login page would."""
        body = json.dumps({"username": user, "password": password}).encode()
        request = urllib.request.Request(  # noqa: S310 - the house's own address
            f"{airflow}/auth/token", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            token = json.load(answer)["access_token"]
        self.devtools("Network.setCookie", {"name": "_token", "value": token, "url": airflow, "httpOnly": True})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a function's body returns, run in the page (or in the frame that was entered)."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script: str, *arguments: Any) -> Any:
        """Return what a function's body hands to its last argument."""
        return self._call("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def wait(self, script: str, seconds: float = 60.0) -> Any:
        """Run a script until it returns something."""
        until = time.monotonic() + seconds
        while not (value := self.run(script)):
            if time.monotonic() > until:
                raise TimeoutError(f"after {seconds} s still nothing from: {script}\n{self.text()[:2000]}")
            time.sleep(0.2)
        return value

    def enter_frame(self, selector: str) -> None:
        """Go on within a frame of the page."""
        element = self._call("POST", "/element", {"using": "css selector", "value": selector})
        self._call("POST", "/frame", {"id": element})

    def leave_frame(self) -> None:
        """Go on in the page itself."""
        self._call("POST", "/frame", {"id": None})

    def click(self, selector: str) -> None:
        """Click an element as a person does."""
        element = self._call("POST", "/element", {"using": "css selector", "value": selector})
        self._call("POST", f"/element/{element[ELEMENT]}/click", {})

    def text(self) -> str:
        """Return what can be read on the page."""
        return str(self.run("return document.body ? document.body.innerText : ''"))

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """Write a picture of the window, or of the whole page."""
        given: dict[str, Any] = {"format": "png"}
        if whole:
            given["captureBeyondViewport"] = True
            height = self.run("return document.documentElement.scrollHeight")
            width = self.run("return document.documentElement.clientWidth")
            given["clip"] = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(self.devtools("Page.captureScreenshot", given)["data"]))

    def devtools(self, command: str, given: dict[str, Any]) -> Any:
        """Send a command of the DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": given})

    def _start(self) -> None:
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"]
        options = {"binary": found(CHROMIUM), "args": [*arguments, f"--user-data-dir={self.profile.name}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.session = self._ask("POST", "/session", wanted)["sessionId"]
                break
            except urllib.error.URLError as error:
                if isinstance(error, urllib.error.HTTPError) or time.monotonic() > until:
                    raise
                time.sleep(0.1)
        self._call("POST", "/timeouts", {"script": 120_000, "pageLoad": 120_000})

    def _end(self) -> None:
        try:
            if self.session:
                self._ask("DELETE", f"/session/{self.session}")
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=30)
            self.profile.cleanup()

    def _call(self, method: str, path: str, content: Any = None) -> Any:
        return self._ask(method, f"/session/{self.session}{path}", content)

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=180) as answer:  # noqa: S310 - loopback
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()[:2000]}") from error
