"""The state of the local SageMaker: documents in SQLite, changed in one explicit transaction at a time.

Each thread has its own connection; the file is in WAL mode, so readers never wait for the one writer.
A write transaction begins with ``BEGIN IMMEDIATE``. Python's implicit transactions begin at the first write only, and
what was read before it may be stale by then: 100 concurrent creates then share version numbers.

A document's body holds the members of its Describe* response in AWS's own spelling (timestamps as epoch seconds,
float), and what AWS does not show in a private sub-document ``_local``.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_local import crash

Document = dict[str, Any]
Documents = list[Document]
# Each document with its place in the order, ``[sort value, key]``.
Placed = list[tuple[list[Any], Document]]

KINDS = (
    "pipeline",  # key: name
    "pipeline_version",  # key: f"{pipeline arn}/{version}", parent: pipeline arn
    "definition",  # key: sha256 of the text; body: {"text": ...}
    "pipeline_execution",  # key: arn, parent: pipeline arn
    "step",  # key: f"{execution arn}/{step name}", parent: execution arn
    "processing_job",  # key: name
    "training_job",
    "transform_job",
    "tuning_job",
    "model",
    "model_package_group",
    "model_package",  # key: arn, parent: group arn (or none when unversioned)
    "endpoint_config",  # key: name
    "experiment",  # key: name
    "trial",  # key: name, parent: experiment name
    "trial_component",  # key: name
    "trial_link",  # key: f"{component}\n{trial}"
    "callback",  # key: token of a Callback step
    "step_cache",  # key: f"{pipeline arn}/{step name}/{sha256 of what makes two runs of it the same}"
    "tag",  # key: f"{resource arn}\n{tag key}", parent: resource arn
    "token",  # key: f"{operation}/{token}"
    "event",  # key: its id; body: as EventBridge has it; waits to be matched with rules
    "delivery",  # key: random; body: an event on its way to one target
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    parent TEXT,
    body TEXT NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX IF NOT EXISTS document_parent ON document (kind, parent, seq);
CREATE INDEX IF NOT EXISTS document_time ON document (kind, json_extract(body, '$.CreationTime'), key);
CREATE INDEX IF NOT EXISTS document_parent_time ON document (kind, parent, json_extract(body, '$.CreationTime'), key);
CREATE INDEX IF NOT EXISTS execution_status ON document (kind, json_extract(body, '$.PipelineExecutionStatus'));
CREATE TABLE IF NOT EXISTS counter (kind TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


# How a term of a query compares a member with its bound.
_COMPARISONS = {
    "=": "{} = ?",
    "<": "{} < ?",
    ">": "{} > ?",
    "<=": "{} <= ?",
    ">=": "{} >= ?",
    "contains": "instr(lower({}), lower(?)) > 0",
    "prefix": "instr({}, ?) = 1",
}


@dataclass(frozen=True)
class Query:
    """Which documents of a kind, in which order, from where.

    Attributes:
        sort: the member to sort by; equal ones are in the order of their keys.
        descending: the highest first.
        parent: only those below it.
        terms: ``(member, comparison, bound)``, all of which must hold; dots lead into structures,
            and of ``A|B`` the first that is there counts.
        after: the place of the last document seen, ``[sort value, key]``.
        limit: how many at most; -1 for all.
    """

    sort: str
    descending: bool = False
    parent: str | None = None
    terms: Sequence[tuple[str, str, Any]] = ()
    after: Sequence[Any] | None = None
    limit: int = -1


Watcher = Callable[["Transaction", str, str, Document | None, Document | None], Document | None]


class DuplicateError(Exception):
    """`insert` met a document of the same kind and key."""


class Transaction:
    """Reads and writes inside one transaction; obtained from `Store.transaction` or `Store.read`."""

    def __init__(
        self, connection: sqlite3.Connection, *, writable: bool, kinds: frozenset[str], watcher: Watcher | None
    ) -> None:
        """Wrap a connection on which a transaction is open; changes of `kinds` are told to `watcher`."""
        self._connection = connection
        self._writable = writable
        self._kinds = kinds
        self._watcher = watcher
        self.events = 0

    def get(self, kind: str, key: str) -> Document | None:
        """Return the document, or None."""
        row = self._connection.execute("SELECT body FROM document WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return None if row is None else json.loads(row[0])

    def list(self, kind: str, parent: str | None = None) -> Documents:
        """Return the documents of a kind (below a parent), in the order in which they were created."""
        if parent is None:
            rows = self._connection.execute("SELECT body FROM document WHERE kind = ? ORDER BY seq", (kind,))
        else:
            rows = self._connection.execute(
                "SELECT body FROM document WHERE kind = ? AND parent = ? ORDER BY seq", (kind, parent)
            )
        return [json.loads(body) for (body,) in rows]

    def count(self, kind: str, parent: str | None = None) -> int:
        """Return how many documents of a kind there are (below a parent)."""
        if parent is None:
            row = self._connection.execute("SELECT count(*) FROM document WHERE kind = ?", (kind,)).fetchone()
        else:
            row = self._connection.execute(
                "SELECT count(*) FROM document WHERE kind = ? AND parent = ?", (kind, parent)
            ).fetchone()
        return int(row[0])

    def matching(self, kind: str, terms: Sequence[tuple[str, str, Any]]) -> Documents:
        """Return the documents of a kind for which all terms of a query hold, in created order."""
        where, values = _where(kind, terms)
        rows = self._connection.execute(f"SELECT body FROM document WHERE {where} ORDER BY seq", values)  # noqa: S608 - only checked names
        return [json.loads(body) for (body,) in rows]

    def count_matching(self, kind: str, terms: Sequence[tuple[str, str, Any]]) -> int:
        """Return how many documents of a kind there are for which all terms of a query hold."""
        where, values = _where(kind, terms)
        row = self._connection.execute(f"SELECT count(*) FROM document WHERE {where}", values).fetchone()  # noqa: S608 - only checked names
        return int(row[0])

    def find(self, kind: str, member: str, value: str) -> Documents:
        """Return the documents of a kind whose top-level member has that value, in created order."""
        rows = self._connection.execute(
            f"SELECT body FROM document WHERE kind = ? AND {_extract(member)} = ? ORDER BY seq",  # noqa: S608 - checked
            (kind, value),
        )
        return [json.loads(body) for (body,) in rows]

    def select(self, kind: str, query: Query) -> Placed:
        """Return the documents that a query asks for, each with its place in the order: ``[sort value, key]``.

        By creation time an index gives the order, so that a page costs the same however many documents there are.
        """
        sort = _extract(query.sort)
        where, values = _where(kind, query.terms)
        terms = [where]
        if query.parent is not None:
            terms.append("parent = ?")
            values.append(query.parent)
        if query.after is not None:
            sign = "<" if query.descending else ">"
            # The first says nothing new; it lets the index begin at the place, which a comparison of pairs does not.
            terms.append(f"{sort} {sign}= ? AND ({sort}, key) {sign} (?, ?)")
            values.extend([query.after[0], *query.after])
        order = "DESC" if query.descending else "ASC"
        rows = self._connection.execute(
            f"SELECT {sort}, key, body FROM document WHERE {' AND '.join(terms)} "  # noqa: S608 - only checked names
            f"ORDER BY {sort} {order}, key {order} LIMIT ?",
            (*values, query.limit),
        )
        return [([value, key], json.loads(body)) for value, key, body in rows]

    def count_where(self, kind: str, member: str, value: str, parent: str | None = None) -> int:
        """Return how many documents of a kind (below a parent) have that value in a top-level member."""
        row = self._connection.execute(
            f"SELECT count(*) FROM document WHERE kind = ?1 AND {_extract(member)} = ?2 "  # noqa: S608 - checked
            "AND (?3 IS NULL OR parent = ?3)",
            (kind, value, parent),
        ).fetchone()
        return int(row[0])

    def move(self, kind: str, parent: str, new_parent: str) -> None:
        """Hang all documents of a kind below another parent."""
        self._check(kind)
        self._connection.execute(
            "UPDATE document SET parent = ? WHERE kind = ? AND parent = ?", (new_parent, kind, parent)
        )

    def insert(self, kind: str, key: str, body: Document, parent: str | None = None) -> None:
        """Add a document; raise DuplicateError when it is there already."""
        self._check(kind)
        try:
            self._connection.execute(
                "INSERT INTO document (kind, key, parent, body) VALUES (?, ?, ?, ?)",
                (kind, key, parent, json.dumps(body)),
            )
        except sqlite3.IntegrityError as error:
            raise DuplicateError(f"{kind} {key} exists already") from error
        self._tell(kind, key, None, body)

    def put(self, kind: str, key: str, body: Document, parent: str | None = None) -> None:
        """Add or replace a document; a replaced one keeps its place in the order, and its parent if none is given."""
        self._check(kind)
        before = self.get(kind, key) if kind in self._kinds else None
        self._connection.execute(
            "INSERT INTO document (kind, key, parent, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, parent = coalesce(excluded.parent, parent)",
            (kind, key, parent, json.dumps(body)),
        )
        self._tell(kind, key, before, body)

    def delete(self, kind: str, key: str) -> bool:
        """Remove a document; tell whether it was there."""
        self._check(kind)
        before = self.get(kind, key) if kind in self._kinds else None
        found = self._connection.execute("DELETE FROM document WHERE kind = ? AND key = ?", (kind, key)).rowcount > 0
        if found:
            self._tell(kind, key, before, None)
        return found

    def next(self, kind: str) -> int:
        """Return the next number of a counter: 1, 2, 3 ...; one that was handed out never comes back."""
        self._check(None)
        row = self._connection.execute(
            "INSERT INTO counter (kind, value) VALUES (?, 1) "
            "ON CONFLICT (kind) DO UPDATE SET value = value + 1 RETURNING value",
            (kind,),
        ).fetchone()
        return int(row[0])

    def _tell(self, kind: str, key: str, before: Document | None, after: Document | None) -> None:
        """Keep the event of a change, if it makes one, in the same transaction."""
        if kind not in self._kinds or self._watcher is None:
            return
        event = self._watcher(self, kind, key, before, after)
        if event is not None:
            self.events += 1
            self.insert("event", event["id"], event)

    def _check(self, kind: str | None) -> None:
        if not self._writable:
            raise RuntimeError("Store.read() gives a snapshot to read; use Store.transaction() to write.")
        if kind is not None and kind not in KINDS:
            raise ValueError(
                f"Unknown kind of document {kind!r}; known are {', '.join(KINDS)} (sagemaker_local/store.py)."
            )


def _where(kind: str, terms: Sequence[tuple[str, str, Any]]) -> tuple[str, list[Any]]:
    found, values = ["kind = ?"], [kind]
    for member, comparison, bound in terms:
        if comparison not in _COMPARISONS:
            raise ValueError(f"{comparison!r} is no comparison; there are {', '.join(_COMPARISONS)}")
        found.append(_COMPARISONS[comparison].format(_extract(member)))
        values.append(bound)
    return " AND ".join(found), values


def _extract(member: str) -> str:
    # The path stands in the text, not in a placeholder, so that an index on the same expression is used.
    paths = member.split("|")
    if not all(part.isidentifier() for path in paths for part in path.split(".")):
        raise ValueError(f"{member!r} is not the name of a member")
    found = [f"json_extract(body, '$.{path}')" for path in paths]
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


class _Connection:
    """One thread's connection: closed when its thread is gone, for engines start many threads."""

    def __init__(self, path: Path) -> None:
        # isolation_level=None: transactions are ours alone. No thread check: close() may come from another thread.
        self.sqlite = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
        self.sqlite.execute("PRAGMA busy_timeout = 60000")
        self.sqlite.execute("PRAGMA synchronous = NORMAL")

    def __del__(self) -> None:
        self.sqlite.close()


class Store:
    """The SQLite file. Safe to use from any thread and from several processes."""

    def __init__(self, path: str | Path) -> None:
        """Open the file, creating it and its directory when needed."""
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._writer = threading.Lock()
        self._connections: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._kinds: frozenset[str] = frozenset()
        self._watcher: Watcher | None = None
        self._on_events: Callable[[], None] | None = None
        connection = self._connection()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)

    def watch(self, kinds: frozenset[str], watcher: Watcher, on_events: Callable[[], None]) -> None:
        """Have every change of some kinds told to a function, whose answer is kept as an ``event`` with the change.

        Args:
            kinds: of documents.
            watcher: called inside the transaction with it, kind, key, and the document before and after (None when
                there was or is none); returns an event with an ``id``, or None.
            on_events: called after a commit that kept events.
        """
        self._kinds, self._watcher, self._on_events = kinds, watcher, on_events

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Read and write in one ``BEGIN IMMEDIATE``; committed at the end, rolled back when an exception leaves it."""
        # Threads of this process queue here: SQLite would have each sleep and try again, up to 100 ms at a time.
        self._refuse_nesting()
        with self._writer, self._begin("BEGIN IMMEDIATE", writable=True) as tx:
            yield tx
        if tx.events and self._on_events is not None:
            self._on_events()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Read one consistent snapshot, without waiting for a writer."""
        self._refuse_nesting()
        with self._begin("BEGIN", writable=False) as tx:
            yield tx

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._connections:
                connection.sqlite.close()
            self._connections.clear()
        self._local = threading.local()

    def _refuse_nesting(self) -> None:
        if self._connection().in_transaction:
            raise RuntimeError(
                "A transaction is open in this thread already; finish it first (or pass its `tx` on): "
                "a nested one would commit the outer one's work."
            )

    @contextmanager
    def _begin(self, statement: str, *, writable: bool) -> Iterator[Transaction]:
        connection = self._connection()
        connection.execute(statement)
        try:
            yield Transaction(connection, writable=writable, kinds=self._kinds, watcher=self._watcher)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        if writable:
            crash.point("before a commit")
        connection.execute("COMMIT")
        if writable:
            crash.point("after a commit")

    def _connection(self) -> sqlite3.Connection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = _Connection(self.path)
            self._local.connection = connection
            with self._lock:
                self._connections.add(connection)
        return connection.sqlite
