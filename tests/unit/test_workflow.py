"""The workflow that users copy: its commands exist, its actions are pinned, and it may do no more than it needs."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FILE = yaml.safe_load((ROOT / ".github" / "workflows" / "batch.yml").read_text(encoding="utf-8"))
STEPS = [step for job in FILE["jobs"].values() for step in job["steps"]]


def test_every_command_is_a_verb_of_the_makefile():
    """CI types what a person types."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    typed = [step["run"] for step in STEPS if "run" in step]
    assert typed
    assert {line.split()[1] for line in typed} <= verbs
    assert all(line.startswith("make ") and "${{" not in line for line in typed)


def test_every_action_is_pinned_to_a_commit():
    """A tag can be moved; the version stands beside it for people, and one action has one commit."""
    text = (ROOT / ".github" / "workflows" / "batch.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (.+)", text)
    assert len(used) >= len({step["uses"] for step in STEPS if "uses" in step}) > 0
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used)
    assert len(set(used)) == len({action.split("@")[0] for action in used})


def test_only_deployment_may_ask_for_aws_credentials():
    """Reading is all that the checks may do; a fork's pull request never gets a token of AWS."""
    assert FILE["permissions"] == {"contents": "read"}
    assert {name for name, job in FILE["jobs"].items() if "id-token" in job.get("permissions", {})} == {"plan", "apply"}
    assert "head.repo.full_name == github.repository" in FILE["jobs"]["plan"]["if"]
    assert FILE["jobs"]["apply"]["concurrency"]["cancel-in-progress"] is False
