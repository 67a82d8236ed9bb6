"""``/_local/faults``, ``quotas``, ``calls``, ``access``: for processes of this machine only."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sagemaker_local.admin.faults import FaultError
from sagemaker_local.api import Api
from sagemaker_local.origin import is_foreign_page, is_local_name, is_local_peer
from sagemaker_local.quotas import QuotaError

PREFIX = "/_local/"
_MAX_BYTES = 64 * 1024


class _RefusedError(Exception):
    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Admin:
    """Answers the admin routes."""

    def __init__(self, api: Api) -> None:
        """Remember the service whose faults, quotas and counts these are."""
        self._api = api

    async def answer(self, request: Request) -> Response:
        """Answer one request; whatever is wrong with it is told in one sentence."""
        try:
            _check_local(request)
            route, rest = self._route(request.url.path)
            body = await _body(request) if request.method in {"POST", "PUT"} else None
            return await run_in_threadpool(route, request.method, rest, body)
        except (FaultError, QuotaError) as error:
            return _sentence(str(error), 400)
        except _RefusedError as error:
            return _sentence(str(error), error.status)

    def _route(self, path: str) -> tuple[Callable[[str, str, Any], Response], str]:
        name, _, rest = path.removeprefix(PREFIX).partition("/")
        routes = {"faults": self._faults, "quotas": self._quotas, "calls": self._calls, "access": self._access}
        route = routes.get(name)
        if route is None or (rest and name != "faults"):
            raise _RefusedError(f"There is no {path}; there are /_local/health, {', '.join(routes)}.", 404)
        return route, rest

    def _faults(self, method: str, rest: str, body: Any) -> Response:
        faults = self._api.faults
        if rest:
            _check_method(method, {"DELETE"})
            if not rest.isdecimal() or not faults.remove(int(rest[:18])):
                raise _RefusedError(f"There is no fault {rest!r}; GET /_local/faults lists them.", 404)
            return JSONResponse({"removed": 1})
        answers: dict[str, Callable[[], Response]] = {
            "GET": lambda: JSONResponse({"faults": faults.documents()}),
            "POST": lambda: JSONResponse(faults.add(body), 201),
            "DELETE": lambda: JSONResponse({"removed": faults.remove()}),
        }
        _check_method(method, answers)
        return answers[method]()

    def _quotas(self, method: str, _rest: str, body: Any) -> Response:
        _check_method(method, {"GET", "PUT"})
        if method == "PUT":
            self._api.quotas.change(body)
        return JSONResponse(self._api.quotas.document())

    def _calls(self, method: str, _rest: str, _body: Any) -> Response:
        _check_method(method, {"GET", "DELETE"})
        running = self._api.running_executions()
        if method == "DELETE":
            self._api.calls.reset(running)
        return JSONResponse(self._api.calls.document(running))

    def _access(self, method: str, _rest: str, _body: Any) -> Response:
        _check_method(method, {"GET", "DELETE"})
        if method == "DELETE":
            self._api.access.reset()
        return JSONResponse(self._api.access.document())


def _check_local(request: Request) -> None:
    """Refuse other machines, and pages of other origins in a browser of this one."""
    if not (is_local_peer(request) and is_local_name(request)):
        raise _RefusedError("The admin routes answer processes of the same machine only.", 403)
    if is_foreign_page(request):
        raise _RefusedError(f"The admin routes do not answer pages of {request.headers.get('origin', 'others')}.", 403)


def _check_method(method: str, allowed: Any) -> None:
    if method not in allowed:
        raise _RefusedError(f"{method} is not for this route; it takes {', '.join(sorted(allowed))}.", 405)


async def _body(request: Request) -> Any:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MAX_BYTES:
            raise _RefusedError(f"A request to the admin routes may hold {_MAX_BYTES} bytes.", 413)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _RefusedError(f"The body is no JSON: {error}.") from error


def _sentence(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status)
