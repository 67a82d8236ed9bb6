"""Loopback ports: taken ones are told apart by who may move them."""

import socket

from local.errors import HouseError

LOOPBACK = "127.0.0.1"


def require_free(port: int, what: str, variable: str) -> None:
    """Make sure that `what` can listen on the port.

    Raises:
        HouseError: somebody listens there already; names the variable that moves `what`.
    """
    if is_taken(port):
        raise HouseError(
            f"Port {port}, which {what} needs, is taken on {LOOPBACK} by another process.",
            f"Choose another port: make <verb> {variable}={free_port()}, or end what listens there "
            "(`make down`, if it is what `make up` started).",
        )


def is_taken(port: int) -> bool:
    """Tell whether a listener would be refused; binding and connecting, as systems differ in what binding refuses."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((LOOPBACK, port))
        except OSError:
            return True
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(0.5)
        return attempt.connect_ex((LOOPBACK, port)) == 0


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        attempt.bind((LOOPBACK, 0))
        return int(attempt.getsockname()[1])
