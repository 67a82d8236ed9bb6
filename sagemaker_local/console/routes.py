"""``/_local/console``: which page an address shows. GET only, and only for browsers of this machine."""

from __future__ import annotations

import traceback
from pathlib import Path
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sagemaker_local.api import Api
from sagemaker_local.console import files, pages
from sagemaker_local.console.markup import ROOT, Html, page, tag
from sagemaker_local.errors import ApiError, ResourceNotFoundError
from sagemaker_local.jobs.clients import Clients
from sagemaker_local.origin import is_local_name, is_local_peer

_FILES = {
    name: (Path(__file__).with_name(name).read_text(encoding="utf-8"), media_type)
    for name, media_type in (("style.css", "text/css"), ("live.js", "text/javascript"))
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_JOB_KINDS = tuple(pages.JOBS.values())


class Console:
    """Answers the addresses of the console."""

    def __init__(self, api: Api) -> None:
        """Remember the service; S3 and logs are asked at its own endpoint."""
        self._api = api
        self._clients = Clients(api.endpoint_url, api.region)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        if not (is_local_peer(request) and is_local_name(request)):
            return _said(403, "Not from here", "The console answers browsers of the same machine only, at 127.0.0.1.")
        if request.method not in {"GET", "HEAD"}:
            return _said(405, "Read only", "The console changes nothing: use the API.")
        raw = request.scope.get("raw_path", b"").decode("ascii", "replace") or request.url.path
        rest = raw.partition("?")[0].removeprefix(ROOT)
        if rest == "":
            return RedirectResponse(f"{ROOT}/", headers=_HEADERS)
        if rest.removeprefix("/") in _FILES:
            text, media_type = _FILES[rest.removeprefix("/")]
            return Response(text, media_type=media_type, headers=_HEADERS)
        path = [unquote(part) for part in rest.removeprefix("/").split("/")]
        return await run_in_threadpool(self._shown, path)

    def _shown(self, path: list[str]) -> Response:
        try:
            shown = self._page(path)
        except ApiError as error:
            return _said(404, "Not there", error.message)
        except (ClientError, BotoCoreError) as error:
            return _said(404, "Not there", str(error))
        except Exception as error:  # noqa: BLE001 - a page that cannot be made must not end the server, and is told
            traceback.print_exception(error)
            return _said(500, "This page failed", f"{type(error).__name__}: {error}")
        return HTMLResponse(shown, headers=_HEADERS)

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()

    def _page(self, path: list[str]) -> Html:
        match path:
            case [""]:
                return pages.index(self._api)
            case ["executions", pipeline, identifier]:
                return pages.execution(self._api, pipeline, identifier)
            case ["jobs", kind, name] if kind in _JOB_KINDS:
                return pages.job(self._api, self._clients, kind, name)
            case ["groups", name]:
                return pages.group(self._api, name)
            case ["s3", bucket, key]:
                return files.place(self._clients, bucket, key)
        raise ResourceNotFoundError("The console has no such page.")


def _said(status: int, title: str, sentence: str) -> Response:
    return HTMLResponse(page(title, tag("p", sentence)), status, headers=_HEADERS)
