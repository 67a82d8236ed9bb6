"""Requests that are not SageMaker's: streamed to the rest of AWS and back, byte by byte as they are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Send

from sagemaker_local import aws_request
from sagemaker_local.admin import permissions
from sagemaker_local.admin.faults import Fault
from sagemaker_local.api import Api
from sagemaker_local.connection import drop
from sagemaker_local.delegate import Delegate

# Belong to one connection, not to the message; `expect` has been answered by our own server when a body is read.
_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"}
)
_MAX_FORM_BYTES = 1024 * 1024


class Forward:
    """The way to the rest of AWS, with the faults that are set for it."""

    def __init__(self, delegate: Delegate, api: Api, forwarded: Callable[[str], None] | None = None) -> None:
        """Prepare; connections are made when first needed.

        Args:
            delegate: the rest of AWS.
            api: says which requests fail on purpose, counts them all and notes who asked for what.
            forwarded: told each operation once it has been performed, before its answer goes out.
        """
        self._forwarded = forwarded
        self._delegate = delegate
        self._api = api
        self._faults = api.faults
        self._calls = api.calls
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=60)
        self._upstream = httpx.AsyncHTTPTransport(limits=limits)

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.aclose()

    async def __call__(self, request: Request, send: Send) -> None:
        """Pass one request on and its answer back."""
        try:
            form = await _form(request)
            operation, hit = self._look(request, form)
            for fault in hit:
                if fault.kind == "latency":
                    await self._faults.wait_out(fault)
            answering = next((fault for fault in hit if fault.kind in {"throttle", "error"}), None)
            if answering is not None:
                async for _ in _Body(request, form):
                    pass
                self._calls.error(operation, answering.code)
                await _refusal(operation, request, answering)(request.scope, request.receive, send)
                return
            lost = any(fault.kind == "lose_response" for fault in hit)
            await self._pass_on(request, operation, form, send, lost=lost)
            if lost:
                self._calls.error(operation, "ResponseLost")
        except ClientDisconnect:
            return

    def _look(self, request: Request, form: bytes) -> tuple[str, list[Fault]]:
        """Return the operation of a request and the faults that hit it."""
        query = request.scope["query_string"].decode("latin-1")
        service = aws_request.service_of(request.headers, query)
        target = (request.scope.get("raw_path") or request.scope["path"].encode()).decode("latin-1")
        operation, key = aws_request.name(
            service, request.method, target, query=query, headers=request.headers, form=form
        )
        self._calls.count(operation)
        needed = permissions.of_rest(
            operation,
            target.partition("?")[0],
            query=query,
            headers=request.headers,
            form=form,
            region=self._api.region,
            account=self._api.account,
        )
        self._api.access.note(aws_request.caller_of(request.headers, query), needed)
        return operation, self._faults.hit(operation, key) if self._faults.watches(service) else []

    async def _pass_on(self, request: Request, operation: str, form: bytes, send: Send, *, lost: bool) -> None:
        started = False
        try:
            upstream = await self._upstream.handle_async_request(self._upstream_request(request, form))
            if self._forwarded is not None:
                self._forwarded(operation)
            try:
                if lost:
                    async for _ in upstream.stream:  # type: ignore[union-attr]
                        pass
                    await drop(request)
                    return
                headers = [(name.lower(), value) for name, value in upstream.headers.raw]
                headers = [pair for pair in headers if pair[0] not in _HOP_BY_HOP]
                await send({"type": "http.response.start", "status": upstream.status_code, "headers": headers})
                started = True
                async for chunk in upstream.stream:  # type: ignore[union-attr]
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            finally:
                await upstream.aclose()
        except httpx.TransportError as error:
            if started:  # the answer is cut off: the client must see that it is
                raise
            await _unavailable(self._delegate, error)(request.scope, request.receive, send)

    def _upstream_request(self, request: Request, form: bytes) -> httpx.Request:
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
            stream=_Body(request, form),
            # The target as it came: a key's percent-encoding is part of what was signed.
            extensions={"target": target, "timeout": {"connect": 10.0, "read": None, "write": None, "pool": None}},
        )


class _Body(httpx.AsyncByteStream):
    """A request's body, passed on as it arrives; a form has been read already."""

    def __init__(self, request: Request, form: bytes) -> None:
        self._request = request
        self._form = form

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._form:
            yield self._form
            return
        async for chunk in self._request.stream():
            if chunk:
                yield chunk


async def _form(request: Request) -> bytes:
    """Return the body when it is a form, of which the Query protocol is made, or names objects to delete.

    Of any other request nothing has been read.
    """
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if not form and not (request.method == "POST" and "delete" in parse_qs(request.url.query, keep_blank_values=True)):
        return b""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > _MAX_FORM_BYTES or "authorization" not in request.headers:
        return b""
    return await request.body()


def _refusal(operation: str, request: Request, fault: Fault) -> Response:
    """Return an error as the protocol of its service has it."""
    service = operation.partition(":")[0]
    code, status, message = fault.code, fault.status, fault.message or "Set on purpose with /_local/faults."
    if service == "s3":
        if fault.kind == "throttle":
            code, status, message = "SlowDown", 503, "Please reduce your request rate."
        body = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        return Response(body, status, media_type="application/xml")
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        content = b"\xa2" + b"".join(map(_cbor, ("__type", code, "message", message)))
        return Response(content, status, headers={"smithy-protocol": "rpc-v2-cbor"}, media_type="application/cbor")
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        kind = "Sender" if status < 500 else "Receiver"
        error = f"<Type>{kind}</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        return Response(f"<ErrorResponse><Error>{error}</Error></ErrorResponse>", status, media_type="text/xml")
    headers = {"x-amzn-ErrorType": code.encode("ascii", "replace").decode()}
    content_type = request.headers.get("content-type", "application/json")
    return Response(json.dumps({"__type": code, "message": message}), status, headers=headers, media_type=content_type)


def _cbor(text: str) -> bytes:
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data


def _unavailable(delegate: Delegate, error: Exception) -> Response:
    """Return a 503 that every AWS protocol's client takes for a passing fault (it knows HTML from load balancers)."""
    reason: Any = delegate.error or repr(error)
    return Response(f"<html><body>The local AWS is not there: {reason}</body></html>", 503, media_type="text/html")
