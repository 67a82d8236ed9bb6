"""A headless Chromium in Selenium's hands: one window, any size, both themes."""

import base64
import json
import os
import shutil
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

# GitHub's and Debian's names of the same two programs.
CHROMIUM, DRIVER = ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",)
MISSING = "no Chromium with chromedriver here; install them with `apt-get install -y chromium chromium-driver`"
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")
PATIENCE = 120.0
# Both programs are named, so Selenium looks for none; were it to, it should neither download nor count anything.
QUIET = {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}


def found(names: tuple[str, ...]) -> str | None:
    """Return the first program of those names."""
    return next((path for path in map(shutil.which, names) if path), None)


def available() -> bool:
    """Whether a browser can be started here."""
    return bool(found(CHROMIUM) and found(DRIVER))


class Browser:
    """One window. Use it in a `with`: it ends its programs."""

    driver: Chrome

    def __init__(self) -> None:
        self.address = ""
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            profile = opening.enter_context(tempfile.TemporaryDirectory(prefix="batch-browser-"))
            os.environ.update(QUIET)
            options = ChromeOptions()
            options.binary_location = found(CHROMIUM) or ""
            for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
                options.add_argument(argument)
            self.driver = Chrome(options, ChromeService(found(DRIVER)))
            opening.callback(self.driver.quit)
            self.driver.set_script_timeout(PATIENCE)
            self.driver.set_page_load_timeout(PATIENCE)
            self._opened = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def open(self, address: str) -> None:
        """Load a page, and wait until this one is there as a whole: the driver's own wait can end with a part of it."""
        self.run("window.leftBehind = true")
        self.driver.get(address)
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
        return self.driver.execute_script(script, *arguments)

    def run_async(self, script: str, *arguments: Any) -> Any:
        """Return what a function's body hands to its last argument."""
        return self.driver.execute_async_script(script, *arguments)

    def wait(self, script: str, seconds: float = 60.0) -> Any:
        """Run a script until it returns something."""
        try:
            return WebDriverWait(self.driver, seconds, 0.2).until(lambda driver: driver.execute_script(script))
        except TimeoutException as error:
            said = f"after {seconds} s still nothing from: {script}\n{self.text()[:2000]}"
            raise TimeoutError(said) from error

    def enter_frame(self, selector: str) -> None:
        """Go on within a frame of the page."""
        self.driver.switch_to.frame(self.driver.find_element(By.CSS_SELECTOR, selector))

    def leave_frame(self) -> None:
        """Go on in the page itself."""
        self.driver.switch_to.default_content()

    def click(self, selector: str) -> None:
        """Click an element as a person does."""
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def type(self, selector: str, text: str) -> None:
        """Type into a field as a person does."""
        self.driver.find_element(By.CSS_SELECTOR, selector).send_keys(text)

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
        return self.driver.execute_cdp_cmd(command, given)
