"""The pages' one script in the sandbox that Airflow puts pages into: theme, moments, and links that lead out of it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local import environment
from tests.integration import browser as browsers
from tests.integration.browser import Browser

pytestmark = pytest.mark.skipif(not browsers.available(), reason=browsers.MISSING)
SCRIPT = environment.REPO / "plugins" / "sagemaker_batch" / "views" / "page.js"
# What the UI of Airflow 3.3.1 gives to a plugin's frame.
SANDBOX = "allow-scripts allow-same-origin allow-forms"
POLICY = "default-src 'none'; script-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
PAGES = {
    "/": f'<!doctype html><html class="dark"><body><iframe sandbox="{SANDBOX}" src="/child"></iframe></body></html>',
    "/child": '<!doctype html><html lang="en"><head><script src="/page.js"></script></head><body>'
    '<time datetime="2026-03-03T05:00:00+00:00" data-moment>3 Mar 2026, 05:00 UTC</time>'
    '<a class="up" href="/dags/churn">out</a> <a class="in" href="/inner">in</a></body></html>',
    "/inner": "<!doctype html><html><body><p>within</p></body></html>",
    "/dags/churn": "<!doctype html><html><body><p>the DAG</p></body></html>",
}


class Site(BaseHTTPRequestHandler):
    """Airflow's page around one of ours."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        text = SCRIPT.read_text() if path == "/page.js" else PAGES.get(path)
        self.send_response(200 if text else 404)
        self.send_header("Content-Type", "text/javascript" if path == "/page.js" else "text/html")
        if path == "/child":
            self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


def test_a_framed_page_follows_the_theme_around_it(site: str, window: Browser) -> None:
    """At once, and when a person changes it."""
    window.open(site)
    for theme in ("dark", "light"):
        window.run("document.documentElement.className = arguments[0]", theme)
        window.enter_frame("iframe")
        window.wait(f"return document.documentElement.dataset.theme === '{theme}'")
        window.leave_frame()


def test_moments_are_the_readers_own(site: str, window: Browser) -> None:
    """In the reader's zone, with the use case's beside it."""
    window.devtools("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    window.open(f"{site}/child")
    shown = window.wait("return document.querySelector('time').textContent")
    assert "02:00 PM" in shown or "14:00" in shown
    assert window.run("return document.querySelector('time').title") == "3 Mar 2026, 05:00 UTC"


def test_a_link_to_airflow_leaves_the_frame_and_others_stay(site: str, window: Browser) -> None:
    """Although the sandbox allows neither new windows nor moving what is around."""
    window.open(site)
    window.enter_frame("iframe")
    window.click("a.in")
    window.wait("return document.body.textContent.includes('within')")
    window.leave_frame()
    assert window.run("return location.pathname") == "/"
    window.open(site)
    window.enter_frame("iframe")
    window.click("a.up")
    window.leave_frame()
    window.wait("return location.pathname === '/dags/churn'")
