"""Real receivers on loopback: an HTTP server that keeps what is posted to it, and a mail server."""

import json
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Received(list):
    """Requests as (path, headers, body); `status` and `answer` are what the next ones are told."""

    status, answer = 200, "ok"

    @property
    def documents(self):
        return [json.loads(body) for _, _, body in self]


@contextmanager
def http():
    """Yield address and what arrives."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, dict(self.headers), body.decode()))
            self.send_response(received.status)
            self.end_headers()
            self.wfile.write(received.answer.encode())

        def log_message(self, *_):
            """Keep stderr for failures."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, _serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}", received


@contextmanager
def smtp():
    """Yield a port, and the messages that arrive, as text."""
    received = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.say("220 loopback")
            while line := self.rfile.readline().decode().strip():
                verb = line[:4].upper()
                if verb == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (text := self.rfile.readline().decode()) != ".\r\n":
                        lines.append(text)
                    received.append("".join(lines))
                self.say("221 bye" if verb == "QUIT" else "250 ok")
                if verb == "QUIT":
                    return

        def say(self, text):
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server, _serving(server):
        yield server.server_address[1], received


@contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
