"""Pages that are made from code say what the code says, and the pages that a reader is sent to are there."""

import re
from pathlib import Path

import pytest

from tests.integration import bad_input

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
PROOF = re.compile(r"`(tests/[\w./-]+)`")


def test_the_page_on_bad_input_is_what_the_tests_send():
    """docs/bad-input.md is made from the table that goes through a real Airflow; make it anew when this fails."""
    assert bad_input.PAGE.read_text(encoding="utf-8") == bad_input.page()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_between_pages_leads_somewhere(page):
    """A reader who follows a link within the repository finds a file or a folder."""
    missing = [
        target
        for target in LINK.findall((ROOT / page).read_text(encoding="utf-8"))
        if not (ROOT / page.parent / target).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_proof_that_a_page_names_is_there(page):
    """A test, or a folder of tests, that a claim leans on has not been moved or removed."""
    named = set(PROOF.findall((ROOT / page).read_text(encoding="utf-8")))
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_verb_is_described():
    """`make` prints a line for each verb that the Makefile declares."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    declared = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    described = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    assert declared == described
