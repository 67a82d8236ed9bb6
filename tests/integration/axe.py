"""axe-core in a page: what of it keeps someone out."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from local import environment
from tests.integration.browser import Browser

VERSION = "axe-core@4.10.3"
_RUN = "axe.run(document, {}).then(arguments[0], error => arguments[0]({error: '' + error}))"


def source() -> str:
    """axe-core's one file, from npm: a tool of these tests and of nothing else."""
    folder = environment.REPO / ".local" / "tools" / "axe"
    script = folder / "package" / "axe.min.js"
    if not script.exists():
        if shutil.which("npm") is None:
            pytest.skip("no npm here to fetch axe-core with; install it with `apt-get install -y npm`")
        script.parent.mkdir(parents=True, exist_ok=True)
        # Tests that run beside each other may both fetch it: it appears whole or not at all.
        with tempfile.TemporaryDirectory(dir=folder) as name:
            packed = subprocess.run(
                ["npm", "pack", VERSION, "--silent"], cwd=name, capture_output=True, text=True, check=False, timeout=120
            )
            if packed.returncode != 0:
                pytest.skip(f"npm could not fetch {VERSION}: {packed.stderr.strip()[-300:]}")
            with tarfile.open(Path(name) / packed.stdout.strip().splitlines()[-1]) as archive:
                archive.extract("package/axe.min.js", name, filter="data")
            (Path(name) / "package" / "axe.min.js").replace(script)
    return script.read_text(encoding="utf-8")


def problems(page: Browser, axe: str) -> list[tuple[Any, ...]]:
    """Return rule, target and what to do for each finding on the page that is open, at most three a rule."""
    page.run(axe)
    result = page.run_async(_RUN)
    assert "error" not in result, result
    assert len(result["passes"]) > 10, "axe looked at next to nothing"
    return [
        (item["id"], node["target"], node["failureSummary"])
        for item in result["violations"]
        for node in item["nodes"][:3]
    ]
