"""HTTP: requests of SageMaker are answered here, all others are streamed to the rest of AWS."""

from __future__ import annotations

import json
import re
import sys
import traceback
import uuid
from collections.abc import Callable
from typing import Any

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sagemaker_local import __version__, aws_request, model
from sagemaker_local.admin import permissions
from sagemaker_local.admin.faults import Fault
from sagemaker_local.admin.routes import PREFIX, Admin
from sagemaker_local.api import Api
from sagemaker_local.connection import drop
from sagemaker_local.console.markup import ROOT
from sagemaker_local.console.routes import Console
from sagemaker_local.delegate import Delegate
from sagemaker_local.errors import ApiError
from sagemaker_local.forward import Forward
from sagemaker_local.origin import BUCKET_NAMES, is_foreign_page, is_local_name

MAX_BODY_BYTES = 16 * 1024 * 1024
_CONTENT_TYPE = "application/x-amz-json-1.1"
_CREDENTIAL = re.compile(r"Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/")
_STARTING_SECONDS = 30.0


class Server:
    """The ASGI application."""

    def __init__(
        self,
        api: Api,
        delegate: Delegate,
        forwarded: Callable[[str], None] | None = None,
        *,
        any_name: bool = False,
    ) -> None:
        """Put the two services behind one door.

        Args:
            api: our SageMaker.
            delegate: everything else.
            forwarded: told each operation of the rest of AWS once it has been performed.
            any_name: answer under whatever name; otherwise under those of this machine only.
        """
        self._api = api
        self._delegate = delegate
        self._any_name = any_name
        self._nonce = uuid.uuid4().hex
        self._running = anyio.Event()
        self._admin = Admin(api)
        self._console = Console(api)
        self._forward = Forward(delegate, api, forwarded)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        if scope["path"] == "/_local/health":
            await self._health()(scope, receive, send)
        elif scope["path"].startswith(ROOT):
            await (await self._console.answer(request))(scope, receive, send)
        elif scope["path"].startswith(PREFIX):
            response = await self._admin.answer(request)
            await response(scope, receive, send)
        elif why := self._refusal(request):
            await _error(ApiError("AccessDeniedException", why, 403))(scope, receive, send)
        elif request.headers.get("x-amz-target", "").startswith(model.TARGET_PREFIX):
            answer = await self._sagemaker(request)
            if answer is None:
                await drop(request)
            else:
                await answer(scope, receive, send)
        else:
            await self._forward(request, send)

    def runner_started(self) -> None:
        """Let SageMaker requests in; call it in the event loop."""
        self._running.set()

    async def close(self) -> None:
        """Close the connections to the rest of AWS."""
        await self._forward.close()
        self._console.close()

    def _refusal(self, request: Request) -> str:
        """Return why a web page's request is not carried out; empty for every client of AWS."""
        if is_foreign_page(request):
            return "Web pages may not call this AWS: it has no sign-in, and can run commands on this machine."
        if not self._any_name and not is_local_name(request, BUCKET_NAMES):
            return (
                f"This AWS answers to 127.0.0.1 and localhost, not to {request.headers.get('host', 'no name')!r}. "
                "Use such an endpoint, or start it with --host for other machines."
            )
        return ""

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

    async def _sagemaker(self, request: Request) -> Response | None:
        """Return the answer, or None when it shall be lost on the way."""
        operation = request.headers["x-amz-target"].removeprefix(model.TARGET_PREFIX)
        counted = operation if operation in model.operation_names() else "?"
        self._api.calls.count(counted)
        hit: list[Fault] = []
        try:
            await self._await_runner()
            body = await _read(request)
            hit = self._api.faults.hit(operation, body.decode("utf-8", "replace"))
            response = await self._perform(operation, body, request, hit)
        except ApiError as error:
            self._api.calls.error(counted, error.code)
            response = _error(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - a bug of ours: told in full here, as AWS tells it there
            traceback.print_exc(file=sys.stderr)
            response = _error(ApiError("InternalFailure", f"{operation} failed in sagemaker_local: {error!r}", 500))
        if any(fault.kind == "lose_response" for fault in hit):
            self._api.calls.error(counted, "ResponseLost")
            return None
        return response

    async def _perform(self, operation: str, body: bytes, request: Request, hit: list[Fault]) -> Response:
        for fault in hit:
            if fault.kind == "latency":
                await self._api.faults.wait_out(fault)
        for fault in hit:
            if fault.kind in {"throttle", "error"}:
                raise ApiError(fault.code, fault.message or "Set on purpose with /_local/faults.", fault.status)
        decoded, api = _decode(body), self._api
        if isinstance(decoded, dict) and operation in model.operation_names():
            needed = permissions.of_sagemaker(operation, decoded, api.region, api.account)
            api.access.note(aws_request.caller_of(request.headers, request.url.query), needed)
        answer = await run_in_threadpool(api.call, operation, decoded, _region(request))
        return Response(json.dumps(answer), headers=_headers(), media_type=_CONTENT_TYPE)

    async def _await_runner(self) -> None:
        """Hold a request back while the running half takes up what a former process left."""
        with anyio.move_on_after(_STARTING_SECONDS):
            await self._running.wait()
        if not self._running.is_set():
            raise ApiError("ServiceUnavailable", f"Still starting: {self._delegate.error}", 503)


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
