"""The page that says what is here."""

from __future__ import annotations

from sagemaker_local import coverage


def test_the_page_is_what_the_code_answers():
    """COVERAGE.md is generated; when this fails: python -m sagemaker_local.coverage."""
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page()
