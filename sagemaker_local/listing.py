"""What all List operations share: filters by name, time and status, sorting, and pages that stay put.

A NextToken holds the sort key of the last item shown, not an offset: what is created between two pages neither repeats
an item nor hides one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from typing import Any

from sagemaker_local import model
from sagemaker_local.errors import ValidationError
from sagemaker_local.operations.registry import Call
from sagemaker_local.store import Query

Document = dict[str, Any]

MAX_RESULTS = 100
_PAGING = ("NextToken", "MaxResults")

# Request member -> (member of the document, comparison).
_BOUNDS = {
    "CreatedAfter": ("CreationTime", ">"),
    "CreatedBefore": ("CreationTime", "<"),
    "CreationTimeAfter": ("CreationTime", ">"),
    "CreationTimeBefore": ("CreationTime", "<"),
    "LastModifiedTimeAfter": ("LastModifiedTime", ">"),
    "LastModifiedTimeBefore": ("LastModifiedTime", "<"),
}
# Request member -> path in the document.
_EQUALS = {"TrainingPlanArnEquals": "ResourceConfig.TrainingPlanArn", "WarmPoolStatusEquals": "WarmPoolStatus.Status"}


def answer(
    call: Call,
    kind: str,
    summary: Callable[[Document], Document],
    sorts: dict[str, str],
    *,
    parent: str | None = None,
    name: str | None = None,
    status: str | None = None,
    modified: str = "LastModifiedTime",
    default: str = "Ascending",
    size: int = MAX_RESULTS,
) -> Document:
    """Return one page of the documents of a kind, as the operation's answer.

    Args:
        call: its request holds any of the bounds above, ``NameContains``, ``StatusEquals``, ``SortBy``, ``SortOrder``,
            ``MaxResults`` and ``NextToken``.
        kind: in the store.
        summary: what is shown of a document.
        sorts: value of ``SortBy`` -> member; the first is the default.
        parent: only the documents below it.
        name: the member that ``NameContains`` looks at.
        status: the member that ``StatusEquals`` looks at.
        modified: the member that holds the time of the last change.
        default: the order when none is asked for.
        size: how many when none is asked for.
    """
    limit = call.request.get("MaxResults", size)
    if others_only(call):
        return _page(call, [], summary, limit)
    query = Query(
        sort=sorts[call.request.get("SortBy", next(iter(sorts)))],
        descending=descending(call, default),
        parent=parent,
        terms=terms(call, name=name, status=status, modified=modified),
        after=_read_token(call),
        limit=limit + 1,
    )
    return _page(call, call.tx.select(kind, query), summary, limit)


def matching(
    call: Call,
    kind: str,
    summary: Callable[[Document], Document],
    terms: list[tuple[str, str, Any]],
    *,
    sort: str,
    default: str,
    size: int,
) -> Document:
    """Return one page of the documents of a kind for which all terms hold; the arguments are as in `answer`."""
    limit = call.request.get("MaxResults", size)
    query = Query(sort, descending(call, default), terms=terms, after=_read_token(call), limit=limit + 1)
    return _page(call, call.tx.select(kind, query), summary, limit)


def terms(
    call: Call, *, name: str | None, status: str | None = None, modified: str = "LastModifiedTime"
) -> list[tuple[str, str, Any]]:
    """Return the filters of a request as terms of a query."""
    request = call.request
    bounds = [(*_BOUNDS[member], request[member]) for member in _BOUNDS if member in request]
    found = [(modified if member == "LastModifiedTime" else member, sign, bound) for member, sign, bound in bounds]
    if name is not None and "NameContains" in request:
        found.append((name, "contains", request["NameContains"]))
    if name is not None and "PipelineNamePrefix" in request:
        found.append((name, "prefix", request["PipelineNamePrefix"]))
    if status is not None and "StatusEquals" in request:
        found.append((status, "=", request["StatusEquals"]))
    found.extend((_EQUALS[member], "=", request[member]) for member in _EQUALS if member in request)
    return found


def others_only(call: Call) -> bool:
    """Tell whether only what other accounts share is asked for: there is none here."""
    return call.request.get("CrossAccountFilterOption") == "CrossAccount"


def descending(call: Call, default: str) -> bool:
    """Tell whether the request, or else the default, asks for the descending order."""
    return call.request.get("SortOrder", default) == "Descending"


def page(
    call: Call,
    keyed: list[tuple[list[Any], Document]],
    summary: Callable[[Document], Document],
    *,
    default: str = "Ascending",
    size: int = MAX_RESULTS,
) -> Document:
    """Return one page of what a handler has sorted itself.

    Args:
        call: its request may hold ``SortOrder``, ``MaxResults`` and ``NextToken``.
        keyed: the documents in order, each with its sort key; no two keys are equal.
        summary: what is shown of a document.
        default: the order when none is asked for.
        size: how many when none is asked for.

    Raises:
        ValidationError: the token is none of ours, or belongs to another request.
    """
    after = _read_token(call)
    if after is not None:
        falling = descending(call, default)
        keyed = [pair for pair in keyed if (pair[0] < after if falling else pair[0] > after)]
    return _page(call, keyed, summary, call.request.get("MaxResults", size))


def _page(
    call: Call, keyed: list[tuple[list[Any], Document]], summary: Callable[[Document], Document], limit: int
) -> Document:
    """Return the first documents under the operation's result member, and ``NextToken`` when there are more."""
    shown = keyed[:limit]
    page: Document = {model.paginators()[call.operation]["result_key"]: [summary(document) for _, document in shown]}
    if len(keyed) > limit:
        page["NextToken"] = _write_token(call, shown[-1][0])
    return page


def pick(*members: str, **renamed: str) -> Callable[[Document], Document]:
    """Return a summary that copies members, and others under a new name (``StartTime="CreationTime"``)."""
    sources = {**{member: member for member in members}, **renamed}

    def summary(document: Document) -> Document:
        return {member: document[source] for member, source in sources.items() if source in document}

    return summary


def _fingerprint(call: Call, key: Any) -> str:
    asked = {member: value for member, value in call.request.items() if member not in _PAGING}
    return hashlib.sha256(json.dumps([call.operation, asked, key], sort_keys=True).encode()).hexdigest()[:16]


def _write_token(call: Call, key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([_fingerprint(call, key), key]).encode()).decode()


def _read_token(call: Call) -> list[Any] | None:
    token = call.request.get("NextToken")
    if token is None:
        return None
    try:
        fingerprint, key = json.loads(base64.urlsafe_b64decode(token.encode("ascii")))
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValidationError(f"Invalid NextToken for {call.operation}: this service did not give it.") from error
    if fingerprint != _fingerprint(call, key) or not isinstance(key, list):
        raise ValidationError(
            f"Invalid NextToken for {call.operation}: it belongs to a request with other filters. "
            "Repeat the first request's members beside the token."
        )
    return key
