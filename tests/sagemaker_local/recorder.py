"""What the tests of a run were seen to do with each operation, and the comparison with what COVERAGE.md claims.

A boto3 client that is given to `watch` tells each call. What counts: the **effect** of an operation (a passing test got
an answer), an **error** (a passing test was refused, and not with a 501), a second **page**, each **filter** of a list,
and **restart** (a passing test found the effect after the server was killed and started again).
"""

from __future__ import annotations

import json
import os
import threading
from collections import defaultdict
from typing import Any

from sagemaker_local import coverage, model
from sagemaker_local.operations import HANDLERS, load

_TOO_WRONG = {"NotImplementedException", "UnknownOperationException", "InternalFailure", "SerializationException"}


class Recorder:
    """Observations by test; only those of tests that passed count."""

    def __init__(self) -> None:
        load()
        self._lock = threading.Lock()
        self._seen: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self.passed: set[str] = set()
        self._asked = threading.local()

    def watch(self, client: Any) -> None:
        """Record what a client of SageMaker asks and is answered."""
        client.meta.events.register("provide-client-params.sagemaker", self._on_params)
        client.meta.events.register("after-call.sagemaker", self._on_answer)

    def note(self, operation: str, evidence: str) -> None:
        """Record evidence for an operation in the test that runs."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0].partition("[")[0]
        with self._lock:
            self._seen[test.removeprefix("tests/sagemaker_local/")].add((operation, evidence))

    def _on_params(self, params: dict[str, Any], **_: Any) -> None:
        self._asked.params = params

    def _on_answer(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        params = getattr(self._asked, "params", {})
        if "Error" in parsed:
            if parsed["Error"]["Code"] not in _TOO_WRONG:
                self.note(model.name, "error")
            return
        self.note(model.name, "effect")
        if "NextToken" in params:
            self.note(model.name, "page")
        for member in set(params) & set(coverage.filters(model.name)):
            self.note(model.name, f"filter {member}")

    def record(self) -> dict[str, dict[str, str]]:
        """Return one test for each piece of evidence of each operation: the first by name."""
        found: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for test in sorted(self.passed & set(self._seen), reverse=True):
            for operation, evidence in self._seen[test]:
                if operation in HANDLERS:
                    found[operation][evidence] = test
        return {operation: dict(sorted(found[operation].items())) for operation in sorted(found)}

    def unfounded(self, claimed: dict[str, dict[str, str]]) -> list[str]:
        """Return what is claimed of tests that passed in this run and was not seen in them."""
        return [
            f"{operation}: {evidence} is claimed of {test}, which passed without it"
            for operation, pieces in claimed.items()
            for evidence, test in pieces.items()
            if test in self.passed and (operation, evidence) not in self._seen.get(test, set())
        ]


RECORDER = Recorder()


def write() -> None:
    """Write the record of this run where the page is made from."""
    coverage.RECORD.write_text(json.dumps(RECORDER.record(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def needed(operation: str) -> list[str]:
    """Return the evidence that an operation needs to count."""
    wanted = ["effect", "error", "restart"]
    if operation in model.paginators():
        wanted += ["page", *(f"filter {member}" for member in coverage.filters(operation))]
    return wanted
