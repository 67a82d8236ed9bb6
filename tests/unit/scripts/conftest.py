"""Runs the scripts as a job does: a process of its own, every path an argument."""

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.scripts.made import HEADER, SCRIPTS, TRAINING, training_rows, write_csv


@dataclass
class Job:
    """What a script left behind."""

    code: int
    message: str
    output: Path

    def text(self, name):
        return (self.output / name).read_text(encoding="utf-8")

    def json(self, name):
        return json.loads(self.text(name))

    def rows(self, name):
        with (self.output / name).open(encoding="utf-8", newline="") as stream:
            return list(csv.reader(stream))


@pytest.fixture
def script(tmp_path):
    """Run a script of include/pipeline_scripts and return its Job."""
    count = 0

    def run(name, *arguments):
        nonlocal count
        count += 1
        output, message = tmp_path / f"output{count}", tmp_path / f"message{count}" / "message"
        command = [sys.executable, str(SCRIPTS / name), *map(str, arguments)]
        done = subprocess.run(
            [*command, "--output", str(output), "--message", str(message)], capture_output=True, text=True, check=False
        )
        said = message.read_text(encoding="utf-8") if message.exists() else ""
        assert (done.returncode == 0) == (said == ""), done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return Job(done.returncode, said, output)

    return run


@pytest.fixture
def training(tmp_path):
    """A folder with small training data."""
    folder = tmp_path / "training"
    write_csv(folder / "part.csv", HEADER, training_rows())
    return folder


@pytest.fixture
def prepared(script, training):
    """The Job of a successful prepare.py."""
    job = script("prepare.py", "--input", training, *TRAINING)
    assert job.code == 0, job.message
    return job
