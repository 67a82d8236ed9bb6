"""A new use case works from the first minute."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from include.infrastructure.environment import load_environment
from include.pipelines import settings as pipeline_settings
from local import energy, new_use_case
from sagemaker_batch.use_case import Quality, UseCase, load_use_case

SCRIPTS = Path(__file__).parents[3] / "include" / "pipeline_scripts"


@pytest.mark.parametrize("problem", ["binary_classification", "regression"])
def test_the_file_is_a_use_case_and_names_every_key(tmp_path, problem):
    """It loads as written, and each key of the models stands in it, set or as a comment with its default."""
    files = new_use_case.create("water_use", problem, tmp_path)
    use_case = load_use_case(files[0])
    assert use_case.name == "water_use"
    assert use_case.model.problem == problem
    text = files[0].read_text()
    for section in UseCase.model_fields:
        assert section == "name" or f"{section}:" in text
    assert "# accuracy_threshold: 0.6" in text
    assert "# deadline_minutes: 360" in text


def test_each_comment_is_a_key_that_may_be_uncommented(tmp_path):
    """With every default uncommented the file says the same: no comment is stale, misspelt or wrongly indented.

    Except that a section that is off until it is written stands there with its defaults.
    """
    (file, *_) = new_use_case.create("water_use", "regression", tmp_path)
    before = load_use_case(file)
    lines = [re.sub(r"^( *)# ( *[a-z_]+:(?: .*)?)$", r"\1\2", line) for line in file.read_text().splitlines()]
    assert sum(line.lstrip().startswith("#") for line in lines) < file.read_text().count("#")
    file.write_text("\n".join(lines) + "\n")
    assert before.quality is None
    assert load_use_case(file) == before.model_copy(update={"quality": Quality()})


def test_its_scripts_run_as_they_are(tmp_path):
    """The scripts of a new use case prepare data as the shared ones do, from the tree as a job mounts it."""
    _, *scripts = new_use_case.create("water_use", "regression", tmp_path)
    code = tmp_path / "include" / "pipeline_scripts"
    shutil.copytree(SCRIPTS, code, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    energy.write_training(tmp_path / "in" / "rows.csv", 7)
    arguments = ["--input", tmp_path / "in", "--use-case", "water_use", "--record-id", "building_id"]
    arguments += ["--label", energy.LABEL, "--problem", "regression", "--delimiter=;", "--ignore=remark"]
    done = {}
    for script in (scripts[0], code / "prepare.py"):
        out = tmp_path / f"out-{script.parent.name}"
        command = [sys.executable, script, *arguments, "--output", out, "--message", out / "message"]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        done[script] = (out / "train" / "train.csv").read_bytes()
    assert len(set(done.values())) == 1
    assert {path.name for path in scripts} == set(new_use_case.SCRIPTS)


def test_nothing_is_overwritten(tmp_path):
    """A name that is taken, or is none, writes nothing."""
    (file, *_) = new_use_case.create("water_use", "regression", tmp_path)
    file.write_text("mine")
    with pytest.raises(new_use_case.NewUseCaseError, match="there already"):
        new_use_case.create("water_use", "regression", tmp_path)
    assert file.read_text() == "mine"
    with pytest.raises(new_use_case.NewUseCaseError, match="no name"):
        new_use_case.create("Water-Use", "regression", tmp_path)


def test_a_use_cases_own_script_is_the_one_that_runs(tmp_path, monkeypatch):
    """Where a use case has a script of its own the pipeline names it, and only its own code changes with it."""
    root = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(pipeline_settings, "ROOT", root)
    case = load_use_case(Path(__file__).parents[3] / "dags" / "use_cases" / "energy_use.yaml")
    found = pipeline_settings.settings_of(case, load_environment("local"))
    assert found.script("prepare.py") == "prepare.py"
    (root / "use_cases" / "energy_use").mkdir(parents=True)
    (root / "use_cases" / "energy_use" / "prepare.py").write_text("")
    assert found.script("prepare.py") == "use_cases/energy_use/prepare.py"
    from include.infrastructure.code import code_files

    assert "use_cases/energy_use/prepare.py" in code_files("managed", "energy_use", root)
    assert "use_cases/energy_use/prepare.py" not in code_files("managed", "churn", root)


@pytest.mark.parametrize("name", ["", "Water", "water-use", "water use", "../water", "1water", "w" * 60, "--help"])
def test_what_is_no_name_is_told_with_one_that_is(name, tmp_path):
    """Whatever `make new-use-case NAME=` hands on, also nothing."""
    with pytest.raises(new_use_case.NewUseCaseError, match="such as energy_use"):
        new_use_case.create(name, "regression", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_leaves_no_half_behind(tmp_path):
    """The next try would say that it is there already."""
    (tmp_path / "include").write_text("a file where the folder belongs")
    with pytest.raises(new_use_case.NewUseCaseError, match="cannot be written"):
        new_use_case.create("water_use", "regression", tmp_path)
    assert not (tmp_path / "dags" / "use_cases" / "water_use.yaml").exists()
    (tmp_path / "include").unlink()
    assert new_use_case.create("water_use", "regression", tmp_path)
