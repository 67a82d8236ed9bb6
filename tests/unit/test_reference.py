"""The reference names whatever can be set or typed, and the site of the documentation builds."""

import subprocess
from pathlib import Path

import pytest

from local import reference

ROOT = Path(__file__).parents[2]
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"


def test_every_key_param_option_and_verb_stands_in_the_reference():
    """docs/reference.md is what the code says; `make reference` writes it anew."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run `make reference`"


def test_every_key_is_described():
    """A key without a sentence would leave its reader with the name alone."""
    bare = [
        line.split("|")[1].strip()
        for line in reference.page().split("## DAG Params")[0].splitlines()
        if line.startswith("| `") and not line.split("|")[3].strip()
    ]
    assert bare == []


def test_an_option_that_the_code_reads_has_to_be_described(monkeypatch):
    """An undescribed option stops the page."""
    monkeypatch.delitem(reference.OPTIONS, "bucket")
    with pytest.raises(reference.UndescribedError, match="bucket"):
        reference.page()


@pytest.mark.skipif(not MKDOCS.exists(), reason="the docs environment is not installed: `make docs` installs it")
def test_the_site_builds_without_a_warning(tmp_path):
    """Links, anchors and navigation hold, as `make docs` checks."""
    done = subprocess.run(
        [MKDOCS, "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "reference" / "index.html").exists()
