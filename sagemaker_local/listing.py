"""What all List operations share: filters by name, time and status, sorting, and pages that stay put.

A NextToken holds the sort key of the last item shown, not an offset: what is created between two pages neither repeats
an item nor hides one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from sagemaker_local import model
from sagemaker_local.errors import ValidationError
from sagemaker_local.operations.registry import Call

Document = dict[str, Any]

MAX_RESULTS = 100
_PAGING = ("NextToken", "MaxResults")

# Request member -> (member of the document, test).
_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "CreatedAfter": ("CreationTime", lambda value, bound: value > bound),
    "CreatedBefore": ("CreationTime", lambda value, bound: value < bound),
    "CreationTimeAfter": ("CreationTime", lambda value, bound: value > bound),
    "CreationTimeBefore": ("CreationTime", lambda value, bound: value < bound),
    "LastModifiedTimeAfter": ("LastModifiedTime", lambda value, bound: value > bound),
    "LastModifiedTimeBefore": ("LastModifiedTime", lambda value, bound: value < bound),
}


def matching(call: Call, documents: Iterable[Document], *, name: str, status: str | None = None) -> list[Document]:
    """Return the documents that pass the request's filters.

    Args:
        call: its request holds any of the bounds above, ``NameContains`` and ``StatusEquals``.
        documents: what there is.
        name: the member that holds the name.
        status: the member that holds the status, where ``StatusEquals`` can be asked for.
    """
    request = call.request
    bounds = [(*_BOUNDS[member], request[member]) for member in _BOUNDS if member in request]
    part = request.get("NameContains", "").lower()
    wanted = request.get("StatusEquals")
    return [
        document
        for document in documents
        if all(test(document.get(member) or 0, bound) for member, test, bound in bounds)
        and part in document.get(name, "").lower()
        and (wanted is None or status is None or document.get(status) == wanted)
    ]


def ordered(
    call: Call, documents: list[Document], sorts: dict[str, str], identity: str, *, default: str = "Ascending"
) -> list[tuple[list[Any], Document]]:
    """Return the documents with their sort keys, in the order that the request asks for.

    Args:
        call: its request may hold ``SortBy`` and ``SortOrder``.
        documents: what passed the filters.
        sorts: value of ``SortBy`` -> member; the first is the default.
        identity: the member that is unique, so that equal times keep one order.
        default: the order when none is asked for.
    """
    member = sorts[call.request.get("SortBy", next(iter(sorts)))]
    keyed = [([document.get(member) or 0, document[identity]], document) for document in documents]
    keyed.sort(key=lambda pair: pair[0], reverse=descending(call, default))
    return keyed


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
    """Return one page as the operation's answer: its result member, and ``NextToken`` when there is more.

    Raises:
        ValidationError: the token is none of ours, or belongs to another request.
    """
    after = _read_token(call)
    if after is not None:
        falling = descending(call, default)
        keyed = [pair for pair in keyed if (pair[0] < after if falling else pair[0] > after)]
    limit = call.request.get("MaxResults", size)
    shown = keyed[:limit]
    answer: Document = {model.paginators()[call.operation]["result_key"]: [summary(document) for _, document in shown]}
    if len(keyed) > limit:
        answer["NextToken"] = _write_token(call, shown[-1][0])
    return answer


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
