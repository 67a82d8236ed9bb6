"""HTTP: requests of SageMaker are answered here, all others are streamed to the rest of AWS."""

from __future__ import annotations

import json
import re
import sys
import traceback
import uuid
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sagemaker_local import __version__, model
from sagemaker_local.api import Api
from sagemaker_local.delegate import Delegate
from sagemaker_local.errors import ApiError

MAX_BODY_BYTES = 16 * 1024 * 1024
_CONTENT_TYPE = "application/x-amz-json-1.1"
_CREDENTIAL = re.compile(r"Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/")
# Belong to one connection, not to the message; `expect` has been answered by our own server when a body is read.
_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"}
)
_STARTING_SECONDS = 30.0


class Server:
    """The ASGI application."""

    def __init__(self, api: Api, delegate: Delegate) -> None:
        """Put the two services behind one door.

        Args:
            api: our SageMaker.
            delegate: everything else.
        """
        self._api = api
        self._delegate = delegate
        self._nonce = uuid.uuid4().hex
        self._running = anyio.Event()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=60)
        self._upstream = httpx.AsyncHTTPTransport(limits=limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        if scope["path"] == "/_local/health":
            await self._health()(scope, receive, send)
        elif request.headers.get("x-amz-target", "").startswith(model.TARGET_PREFIX):
            response = await self._sagemaker(request)
            await response(scope, receive, send)
        else:
            await self._forward(request, send)

    def runner_started(self) -> None:
        """Let SageMaker requests in; call it in the event loop."""
        self._running.set()

    async def close(self) -> None:
        """Close the connections to the rest of AWS."""
        await self._upstream.aclose()

    def _health(self) -> Response:
        ours, theirs = self._running.is_set(), self._delegate.is_ready
        body = {
            "sagemaker": "ready" if ours else "starting",
            "aws": "ready" if theirs else "unavailable",
            "aws_error": "" if theirs else self._delegate.error,
            "aws_starts": self._delegate.starts,
            "nonce": self._nonce,
            "version": __version__,
            "endpoint_url": self._api.endpoint_url,
            "region": self._api.region,
            "account": self._api.account,
        }
        return JSONResponse(body, 200 if ours and theirs else 503)

    async def _sagemaker(self, request: Request) -> Response:
        operation = request.headers["x-amz-target"].removeprefix(model.TARGET_PREFIX)
        try:
            await self._await_runner()
            body = await _read(request)
            answer = await run_in_threadpool(self._api.call, operation, _decode(body), _region(request))
        except ApiError as error:
            return _error(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - a bug of ours: told in full here, as AWS tells it there
            traceback.print_exc(file=sys.stderr)
            return _error(ApiError("InternalFailure", f"{operation} failed in sagemaker_local: {error!r}", 500))
        return Response(json.dumps(answer), headers=_headers(), media_type=_CONTENT_TYPE)

    async def _await_runner(self) -> None:
        """Hold a request back while the running half takes up what a former process left."""
        with anyio.move_on_after(_STARTING_SECONDS):
            await self._running.wait()
        if not self._running.is_set():
            raise ApiError("ServiceUnavailable", f"Still starting: {self._delegate.error}", 503)

    async def _forward(self, request: Request, send: Send) -> None:
        """Stream a request to the rest of AWS and its answer back, both byte by byte as they are."""
        started = False
        try:
            upstream = await self._upstream.handle_async_request(self._upstream_request(request))
            try:
                headers = [(name.lower(), value) for name, value in upstream.headers.raw]
                headers = [pair for pair in headers if pair[0] not in _HOP_BY_HOP]
                await send({"type": "http.response.start", "status": upstream.status_code, "headers": headers})
                started = True
                async for chunk in upstream.stream:  # type: ignore[union-attr]
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            finally:
                await upstream.aclose()
        except ClientDisconnect:
            return
        except httpx.TransportError as error:
            if started:  # the answer is cut off: the client must see that it is
                raise
            response = _unavailable(self._delegate, error)
            await response(request.scope, request.receive, send)

    def _upstream_request(self, request: Request) -> httpx.Request:
        scope = request.scope
        target = scope.get("raw_path") or scope["path"].encode()
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        headers = [pair for pair in scope["headers"] if pair[0] not in _HOP_BY_HOP]
        names = {name for name, _ in scope["headers"]}
        if b"transfer-encoding" in names and b"content-length" not in names:
            headers.append((b"transfer-encoding", b"chunked"))
        return httpx.Request(
            request.method,
            f"http://127.0.0.1:{self._delegate.port}/",
            headers=headers,
            stream=_Body(request),
            # The target as it came: a key's percent-encoding is part of what was signed.
            extensions={"target": target, "timeout": {"connect": 10.0, "read": None, "write": None, "pool": None}},
        )


class _Body(httpx.AsyncByteStream):
    """A request's body, passed on as it arrives."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._request.stream():
            if chunk:
                yield chunk


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ApiError("RequestEntityTooLargeException", f"A request may hold {MAX_BODY_BYTES} bytes.", 413)
        parts.append(chunk)
    return b"".join(parts)


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError("SerializationException", f"The body is no JSON: {error}") from error


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _region(request: Request) -> str | None:
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    return found.group(1) if found else None


def _headers() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid.uuid4())}


def _error(error: ApiError) -> Response:
    body = json.dumps({"__type": error.code, "message": error.message})
    headers = {**_headers(), "x-amzn-ErrorType": error.code}
    return Response(body, error.status, headers=headers, media_type=_CONTENT_TYPE)


def _unavailable(delegate: Delegate, error: Exception) -> Response:
    """Return a 503 that every AWS protocol's client takes for a passing fault (it knows HTML from load balancers)."""
    reason = delegate.error or repr(error)
    return Response(f"<html><body>The local AWS is not there: {reason}</body></html>", 503, media_type="text/html")
