"""The reference names whatever can be set or typed, and the site of the documentation builds."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

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
    done = built(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "reference" / "index.html").exists()


@pytest.mark.skipif(not MKDOCS.exists(), reason="the docs environment is not installed: `make docs` installs it")
@pytest.mark.parametrize(
    "wrong", ["[a page](nowhere.md)", "[a place](faq.md#nowhere)", "a page outside the navigation"]
)
def test_a_warning_stops_the_site(wrong, tmp_path):
    """With `--quiet` mkdocs would drop its warnings before it counts them, and build whatever there is."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("index.md", "faq.md"):
        (docs / name).write_text("# A page\n")
    ours = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    settings = {"site_name": "x", "nav": ["index.md", "faq.md"], "validation": ours["validation"]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings))
    assert built(tmp_path, tmp_path).returncode == 0
    with (docs / ("index.md" if wrong.startswith("[") else "new.md")).open("a") as stream:
        stream.write(f"\n{wrong}\n")
    done = built(tmp_path, tmp_path)
    assert done.returncode == 1
    assert "Aborted with 1 warnings" in done.stdout + done.stderr


def built(root, out):
    """Build the site of a folder with the options of `make docs`."""
    (options,) = re.findall(r"mkdocs (build .*?) && ", (ROOT / "Makefile").read_text())
    command = [MKDOCS, *options.split(), "--site-dir", out / "site"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
