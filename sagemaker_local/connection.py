"""A connection that can be dropped without an answer, as a network does it."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """uvicorn's protocol; each request finds its transport in the ASGI scope's state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport where the application reaches it."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


async def drop(request: Request) -> None:
    """Cut the connection of a request whose body has been read; what it asked for stays done."""
    request.scope["state"]["transport"].abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
