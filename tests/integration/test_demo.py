"""A demo that cannot fail proves nothing: broken in four ways, it must end with exit code 1 and name each."""

import csv
import random
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from local import data, environment
from local.cloud import Cloud
from local.house import RUNTIMES, House, Ports
from sagemaker_batch import names

pytestmark = pytest.mark.timeout(600)

FIRST_DAY = date(2026, 1, 10)
# Runs the real analyzer and then hides what it found.
SILENT_ANALYZER = """
import json, pathlib, subprocess, sys
ml = pathlib.Path(sys.argv[1])
code = subprocess.run([sys.executable, "-m", "monitor_analyzer", "container", "--opt-ml", str(ml)]).returncode
config = json.loads((ml / "config" / "processingjobconfig.json").read_text())
report = pathlib.Path(config["Environment"]["output_path"]) / "constraint_violations.json"
if code == 0 and report.exists():
    report.write_text(json.dumps({"violations": []}))
    (ml / "output" / "message").write_text("Completed: Job completed successfully with no violations.")
sys.exit(code)
"""
# Runs the real transform and then loses the last prediction.
FORGETFUL_TRANSFORM = """
import pathlib, subprocess, sys
ml = pathlib.Path(sys.argv[1])
code = subprocess.run([sys.executable, "-m", "sagemaker_local.runtimes.batch_transform", "--ml", str(ml)]).returncode
for file in (ml / "output").rglob("*.out"):
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
sys.exit(code)
"""
ANALYZER_COMMAND = '["${PYTHON}", -m, monitor_analyzer, container, --opt-ml, /opt/ml]'
TRANSFORM_COMMAND = '["${PYTHON}", -m, sagemaker_local.runtimes.batch_transform, --ml, /opt/ml]'


@dataclass
class Stage:
    """A running house of this module's own, for demos that are told to use it."""

    house: House
    folder: Path
    days_used: int = 0
    figures: dict[str, str] = field(default_factory=dict)

    def demo(self, seed: int, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the demo as a process on the house, each time on days of its own."""
        self.days_used += 10
        last = FIRST_DAY + timedelta(days=self.days_used)
        done = run_demo("--house", str(self.house.state), "--last-day", str(last), SEED=str(seed), **variables)
        if measured := re.search(r"accuracy \d\.\d+, AUC \d\.\d+", done.stdout):
            self.figures[measured[0]] = done.stdout
        return done

    def own_days(self, *kinds: str) -> tuple[Path, list[date]]:
        """Make a folder for DAYS= with a day of each kind, which no other test uses."""
        self.days_used += 10
        days = [FIRST_DAY + timedelta(days=self.days_used + number) for number in range(len(kinds))]
        folder = self.folder / f"days-{days[0]}"
        for day, kind in zip(days, kinds, strict=True):
            data.write_day(folder / f"{day}.csv", kind, day, 7)
        return folder, days

    def use_runtimes(self, runtimes: Path) -> None:
        """Start the local AWS anew with another table of runtimes; what is in it stays."""
        supervisor = self.house.supervisor
        child = next(child for child in supervisor.children if child.spec.name == "aws")
        supervisor.children.remove(child)
        child.process.terminate()
        child.process.wait(timeout=60)
        supervisor.start(replace(self.house.aws, runtimes=runtimes).spec(self.house.logs / "aws.log"))
        self.house.deploy()


def run_demo(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as a process of its own; what it says on stderr stands in stdout, in order."""
    return subprocess.run(
        [sys.executable, "-m", "local.demo", *arguments],
        cwd=environment.REPO,
        env={**environment.base(), "PYTHONPATH": environment.python_path(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="batch-demo-") as name:
        folder = Path(name)
        with House(folder / "house", Ports.free()) as house:
            house.start()
            yield Stage(house, folder)


@pytest.fixture
def sabotage(stage: Stage, tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Replace a runtime's command by a script that gets the job's folder; the right table is put back afterwards."""

    def put(command: str, script: str) -> None:
        program, table = tmp_path / "sabotage.py", tmp_path / "runtimes.yaml"
        program.write_text(script)
        right = RUNTIMES.read_text()
        assert command in right
        table.write_text(right.replace(command, f'["${{PYTHON}}", "{program}", /opt/ml]'))
        stage.use_runtimes(table)

    yield put
    stage.use_runtimes(RUNTIMES)


def test_shuffled_labels_end_in_the_fail_step(stage):
    """Labels that say nothing give a model that is not registered, and the message has both numbers."""
    columns, rows = data.training(7)
    labels = [row[data.LABEL] for row in rows]
    random.Random(7).shuffle(labels)  # noqa: S311 - a shuffle that can be repeated
    for row, label in zip(rows, labels, strict=True):
        row[data.LABEL] = label
    file = stage.folder / "shuffled.csv"
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    done = stage.demo(7, DATA=str(file))
    assert done.returncode == 1, done.stdout
    assert "AccuracyBelowThreshold" in done.stdout
    assert len(set(re.findall(r"0\.\d+", done.stdout.split("AccuracyBelowThreshold")[-1]))) >= 2
    assert Cloud(stage.house.aws.url, "churn").packages() == []


def test_a_lost_prediction_and_an_inbox_that_is_not_subscribed_are_noticed(stage, sabotage):
    """A transform that loses a row publishes nothing; of a held day somebody must be told: both are named."""
    sabotage(TRANSFORM_COMMAND, FORGETFUL_TRANSFORM)
    sns = Cloud(stage.house.aws.url, "churn").client("sns")
    topic = names.topic_arn("local", environment.REGION, environment.ACCOUNT)
    for subscription in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    folder, (clean, drifted) = stage.own_days("clean", "drifted")
    try:
        done = stage.demo(11, DAYS=str(folder))
    finally:
        stage.house.deploy()
    assert done.returncode == 1, done.stdout
    assert re.search(rf"{clean}.*nothing was published", done.stdout), done.stdout
    assert re.search(rf"{drifted}.*no alert arrived in the inbox", done.stdout), done.stdout
    assert Cloud(stage.house.aws.url, "churn").keys("churn/published/") == []


def test_an_analyzer_that_reports_nothing_is_noticed(stage, sabotage):
    """The demo knows what it generated: drifted and broken days that pass for clean are named."""
    sabotage(ANALYZER_COMMAND, SILENT_ANALYZER)
    done = stage.demo(13)
    assert done.returncode == 1, done.stdout
    assert "(drifted): expected the verdict held, got clean" in done.stdout
    assert "(nulls): expected the verdict warned, got clean" in done.stdout


def test_another_seed_changes_the_figures(stage):
    """The model is trained on what the seed made, not on what the author once saw."""
    assert len(stage.figures) >= 2, "needs the tests before it"
    assert len({re.findall(r"accuracy [^ ]+", figures)[0] for figures in stage.figures}) >= 2


def test_a_taken_port_is_named(tmp_path):
    """The demo says which port is taken and which variable moves it, before it starts anything."""
    ports = Ports.free()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", ports.airflow))
        listener.listen()
        done = run_demo("--state-dir", str(tmp_path), AIRFLOW_PORT=str(ports.airflow), AWS_PORT=str(ports.aws))
    assert done.returncode == 1
    assert f"Port {ports.airflow}" in done.stdout
    assert "AIRFLOW_PORT=" in done.stdout
