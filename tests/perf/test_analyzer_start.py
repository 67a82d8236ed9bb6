"""What takes longer of the analyzer's start: compiling without a cache."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "include" / "pipeline_scripts"
sys.path.insert(0, str(SCRIPTS))

from monitor_analyzer import compiled, statistics  # noqa: E402 - after the path
from monitor_analyzer.dataset import DatasetFormat, profile_dataset  # noqa: E402


def test_a_home_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    """With no place for a cache that is ours alone nothing is written, and the results are the same."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "data.csv"
    path.write_text("a,b\n" + "".join(f"{row / 7},x\n" for row in range(3000)))
    monkeypatch.setenv(compiled.SETTING, "python")
    expected = statistics.document(profile_dataset(path, DatasetFormat()))
    monkeypatch.setenv(compiled.SETTING, "compiled")
    monkeypatch.setenv("MONITOR_ANALYZER_CACHE", str(tmp_path / "file" / "below"))
    assert compiled.cache_folder() is None
    assert compiled._home() is None
    monkeypatch.setenv("MONITOR_ANALYZER_CACHE", str(tmp_path / "open"))
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    assert compiled.cache_folder() is None
    program = "import sys; from monitor_analyzer.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, "profile", str(path), "--json"],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert json.loads(done.stdout) == expected
    assert list((tmp_path / "open").iterdir()) == []
