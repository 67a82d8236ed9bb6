"""The page that says what is here, and that nothing is said that was not seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagemaker_local import coverage
from sagemaker_local.operations import HANDLERS, load
from tests.sagemaker_local.recorder import needed

load()


def test_the_page_is_what_the_code_answers_and_the_tests_saw():
    """COVERAGE.md is generated; when this fails: make coverage."""
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page(coverage.read_record())


@pytest.mark.parametrize("operation", sorted(HANDLERS))
def test_an_operation_counts_only_with_all_its_evidence(operation):
    """Effect, error, restart; for lists a second page and each filter. When this fails: a test is missing."""
    seen = coverage.read_record().get(operation, {})
    assert [evidence for evidence in needed(operation) if evidence not in seen] == []


def test_every_test_that_is_named_is_there():
    """A test that was renamed or removed is evidence no more; make coverage finds what took its place."""
    named = {test for pieces in coverage.read_record().values() for test in pieces.values()}
    folder = Path(__file__).parent
    gone = [
        test
        for test in sorted(named)
        if f"def {test.partition('::')[2]}(" not in (folder / test.partition("::")[0]).read_text(encoding="utf-8")
    ]
    assert gone == []


def test_at_least_sixty_operations_are_answered():
    """What the project promises."""
    assert len(HANDLERS) >= 60
