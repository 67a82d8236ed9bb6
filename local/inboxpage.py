"""A read-only page of the alerts that arrived, on the loopback; kept in a file, so that it survives a restart."""

import html
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from local.alertbox import Alert, Inbox
from local.ports import LOOPBACK

HOSTS = {LOOPBACK, "localhost"}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Alerts</title><meta http-equiv="refresh" content="10">
<style>body{{font:15px system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}pre{{white-space:pre-wrap}}
article{{border-left:4px solid #888;padding:0 1rem;margin:1.5rem 0}}.critical,.error{{border-color:#c00}}
.warning{{border-color:#d90}}small{{color:#555}}</style></head>
<body><h1>Alerts</h1><p>{count} so far; the newest stands first. They arrived over SNS in the SQS inbox.</p>
{articles}</body></html>
"""


def render(alerts: list[Alert]) -> str:
    """Return the page; whatever came from outside is escaped."""
    articles = [
        f'<article class="{html.escape(alert.attributes.get("severity", ""), quote=True)}">'
        f"<h2>{html.escape(alert.subject)}</h2><small>{html.escape(alert.sent)}</small>"
        f"<pre>{html.escape(alert.text)}</pre></article>"
        for alert in reversed(alerts)
    ]
    return PAGE.format(count=len(alerts), articles="\n".join(articles))


def serve(inbox: Inbox, port: int) -> ThreadingHTTPServer:
    """Serve the page in a thread until `shutdown()`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
            if host not in HOSTS or self.path != "/":
                self.send_error(404)
                return
            body = render(list(inbox.alerts)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the page asks for itself every ten seconds."""

    server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    threading.Thread(target=server.serve_forever, name="inbox-page", daemon=True).start()
    return server
