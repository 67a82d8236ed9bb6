"""The one place where state lies."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sagemaker_local.store import DuplicateError, Query, Store


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "state" / "sagemaker.sqlite")
    yield opened
    opened.close()


def test_a_transaction_that_fails_leaves_nothing(store):
    """What was written before the error is gone."""

    def fail():
        with store.transaction() as tx:
            tx.insert("model", "a", {})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with store.read() as tx:
        assert tx.get("model", "a") is None


def test_documents_keep_the_order_of_their_creation(store):
    """Replacing a document leaves it, and its parent, in place."""
    with store.transaction() as tx:
        for name in ("c", "a", "b"):
            tx.insert("step", name, {"n": name}, parent="x")
        tx.put("step", "c", {"n": "C"})
    with store.read() as tx:
        assert [document["n"] for document in tx.list("step", "x")] == ["C", "a", "b"]


def test_a_duplicate_is_refused_and_an_unknown_kind_too(store):
    """Neither is stored in silence."""
    with store.transaction() as tx:
        tx.insert("model", "a", {})
        with pytest.raises(DuplicateError):
            tx.insert("model", "a", {})
        with pytest.raises(ValueError, match="modle"):
            tx.put("modle", "a", {})


def test_a_snapshot_does_not_wait_and_does_not_change(store):
    """A reader sees the state at its beginning while another thread writes."""
    with store.read() as before:
        assert before.count("model") == 0
        writer = threading.Thread(target=write, args=(store, "a"))
        writer.start()
        writer.join()
        assert before.count("model") == 0
        with pytest.raises(RuntimeError, match="snapshot"):
            before.put("model", "b", {})
    with store.read() as after:
        assert after.count("model") == 1


def write(store, name):
    with store.transaction() as tx:
        tx.put("model", name, {"n": name})


def test_a_nested_transaction_is_refused(store):
    """It would commit the outer one's work, or wait for itself forever."""
    with store.transaction(), pytest.raises(RuntimeError, match="open in this thread"), store.transaction():
        pass


def test_counters_never_repeat_between_threads_and_files(store):
    """Two stores on one file, eight threads each: every number once."""
    other = Store(store.path)

    def take(number):
        with (store, other)[number % 2].transaction() as tx:
            return tx.next("versions")

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(take, range(200))) == list(range(1, 201))
    other.close()


def test_a_query_goes_on_after_a_place(store):
    """Equal sort values are in the order of their keys, in both directions."""
    with store.transaction() as tx:
        for name, second in (("a", 1.0), ("b", 2.0), ("c", 2.0), ("d", 3.0)):
            tx.insert("model", name, {"ModelName": name, "CreationTime": second})
    with store.read() as tx:
        first = tx.select("model", Query("CreationTime", limit=2))
        assert [document["ModelName"] for _, document in first] == ["a", "b"]
        rest = tx.select("model", Query("CreationTime", after=first[-1][0]))
        assert [document["ModelName"] for _, document in rest] == ["c", "d"]
        back = tx.select("model", Query("CreationTime", descending=True, after=rest[0][0]))
        assert [document["ModelName"] for _, document in back] == ["b", "a"]


def test_connections_of_finished_threads_are_closed(store):
    """An engine starts many threads; each one's connection ends with it."""
    for number in range(20):
        thread = threading.Thread(target=write, args=(store, f"m{number}"))
        thread.start()
        thread.join()
    assert len(store._connections) <= 2
