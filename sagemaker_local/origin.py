"""Who asks: a process of this machine, or a page in its browser that has no business here.

There is no sign-in, and a request can run commands as the person who started the server. A web page can send requests
to 127.0.0.1 too, under its own origin, or under a name of its own that it lets lead here (DNS rebinding).
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

NAMES = {"127.0.0.1", "localhost", "::1"}
# Clients of S3 write the bucket before these.
BUCKET_NAMES = (".localhost", ".amazonaws.com")
# What a browser says of requests that its address bar or a page of the same origin makes.
OWN_SITES = {"none", "same-origin"}


def is_local_peer(request: Request) -> bool:
    """Tell whether the connection comes from this machine."""
    try:
        return ipaddress.ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False


def is_local_name(request: Request, endings: tuple[str, ...] = ()) -> bool:
    """Tell whether the request was sent to a name of this machine, or to one with such an ending."""
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    return host in NAMES or host.endswith(endings)


def is_foreign_page(request: Request) -> bool:
    """Tell whether a page of another origin asks."""
    origin = request.headers.get("origin")
    try:
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return True
    except ValueError:  # it is no address at all
        return True
    return request.headers.get("sec-fetch-site", "none") not in OWN_SITES
