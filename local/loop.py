"""`make demo STORY=drift`: the loop that no person touches a file for, and one person answers two questions in.

A version is trained and approved in Airflow. For three days everybody calls longer: the days are held, and the third
one makes the watchdog request a new model. It is trained on customers as they are now, a reviewer approves it, and the
next day is scored by it. Then that day's labels arrive, and the model is judged by them. Data and labels arrive as
senders put them; everything else is done by the DAGs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from local import batches, data, environment, review
from local.alertbox import Inbox
from local.cloud import Cloud
from local.console import Console
from local.house import House
from local.rest import AirflowApi
from local.secretfile import USER
from sagemaker_batch import names, registry

USE_CASE = "churn"
SHIPPED = environment.REPO / "dags" / "use_cases" / f"{USE_CASE}.yaml"
FOLDER = "use_cases"
DRIFTING_DAYS = 3
SECONDS = 600.0
SHOWN = ("accuracy", "auc", "brier")
# What the shipped file says, and what the loop needs: a reviewer in Airflow, retraining on request and by hand only.
CHANGES = {
    "approval: manual": "approval: airflow\n\nretraining:\n  enabled: true\n  drift_days: 3\n  drift_share: 0.3",
    '  training: "0 2 1 * *"': "  training: null\n  watchdog: null\n  quality: null",
    "  start_date: 2026-01-01": "  start_date: {today}",
}


@dataclass
class Row:
    """One line of the story: what happened, and what came of it."""

    what: str
    outcome: str
    model: str = ""
    told: tuple[str, ...] = ()


@dataclass
class Loop:
    """The story as it goes: what it talks to, what was seen, and what was not as it must be."""

    api: AirflowApi
    cloud: Cloud
    inbox: Inbox
    console: Console
    folder: Path
    seed: int
    rows: list[Row] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    heard: int = 0

    def note(self, what: str, outcome: str, model: str = "") -> None:
        """Add a line, with the subjects of the alerts that have come since the last one."""
        alerts = self.inbox.collect()
        told = tuple(alert.subject for alert in alerts[self.heard :])
        self.heard = len(alerts)
        self.rows.append(Row(what, outcome, model, told))

    def finish(self, dag: str, run: str) -> None:
        """Wait for the end of a run, which must be a good one."""
        state = self.api.finish(dag, run, SECONDS)["state"]
        self.must(state == "success", f"{dag} {run} ended {state}")

    def must(self, condition: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
        """Remember what is not as it must be."""
        if not condition:
            self.wrong.append(what)


def write_use_cases(folder: Path) -> Path:
    """Write churn's file as the loop needs it; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = SHIPPED.read_text(encoding="utf-8")
    for before, after in CHANGES.items():
        if text.count(before) != 1:
            raise ValueError(f"{SHIPPED} has {before!r} {text.count(before)} times; the story changes it once")
        text = text.replace(before, after.format(today=datetime.now(UTC).date()))
    (folder / SHIPPED.name).write_text(text, encoding="utf-8")
    return folder


def settings(state: Path) -> dict[str, str]:
    """Return Airflow's settings of the story: where its use case lies."""
    return {"AIRFLOW__SAGEMAKER_BATCH__USE_CASES_FOLDER": str(state.resolve() / FOLDER)}


def play(house: House, console: Console, seed: int) -> Loop:
    """Play the loop in a house whose schedule is on; return the story, with what was not as it must be."""
    api = AirflowApi(house.airflow.url, USER, house.secrets["password"], house.check)
    cloud = Cloud(house.aws.url, USE_CASE)
    loop = Loop(api, cloud, Inbox(cloud.client("sqs")), console, house.state / "data", seed)
    dags = [
        names.train_dag(USE_CASE),
        names.batch_dag(USE_CASE),
        names.watchdog_dag(USE_CASE),
        names.quality_dag(USE_CASE),
    ]
    api.wait_for_dags(dags)
    for dag in dags:
        api.unpause(dag)
    with console.phase("A first version, trained and approved in Airflow"):
        first = _first_version(loop)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    days = [yesterday - timedelta(days=DRIFTING_DAYS - number) for number in range(DRIFTING_DAYS + 1)]
    with console.phase(f"{DRIFTING_DAYS} days on which everybody calls longer; the watchdog looks after each"):
        for day in days[:-1]:
            _drifting_day(loop, day, first, last=day == days[-2])
    with console.phase("The request starts the monthly DAG; a reviewer approves what it trained"):
        second = _second_version(loop)
    with console.phase("The next day, scored by the new version"):
        _next_day(loop, days[-1], second)
    with console.phase("Its labels arrive, and the model is judged by them"):
        _labels(loop, days[-1], second)
    with console.phase("The story"):
        console.say(table(loop.rows))
    return loop


def _first_version(loop: Loop) -> registry.ModelVersion:
    file = loop.folder / "training.csv"
    loop.console.say(f"{data.write_training(file, loop.seed)} customers -> {loop.cloud.put_training(file)}")
    run = loop.api.trigger(names.train_dag(USE_CASE))
    return _decided(loop, run, "the figures are above the threshold", "by hand")


def _second_version(loop: Loop) -> registry.ModelVersion:
    dag = names.train_dag(USE_CASE)

    def started() -> list[str]:
        return [run["dag_run_id"] for run in loop.api.runs(dag) if run["run_type"] == "asset_triggered"]

    loop.api.wait(lambda: bool(started()), SECONDS, lambda: f"the request to start {dag}")
    (run,) = started()
    loop.console.say(f"{dag}: run {run}")
    return _decided(loop, run, "it knows how long people call now", "asset event")


def _decided(loop: Loop, run: str, comment: str, why: str) -> registry.ModelVersion:
    """Wait for the question of a monthly run, show it, approve, and return the version."""
    dag = names.train_dag(USE_CASE)
    question = review.question(loop.api, dag, run, SECONDS)
    body = str(loop.api.request("GET", question)["body"])
    reason = next(line for line in body.splitlines() if line.startswith("Trained because: "))
    loop.console.say(reason)
    loop.console.say(
        "\n".join(line for line in body.splitlines() if line.startswith(("| |", "| accuracy", "| auc", "| brier")))
    )
    loop.note(f"trained ({why})", reason.removeprefix("Trained because: "))
    review.answer(loop.api, question, review.APPROVE, comment)
    loop.finish(dag, run)
    version = registry.latest_approved(loop.cloud.sagemaker, loop.cloud.group)
    loop.must(loop.api.xcom(dag, run, "approve_model") is not None, f"{run} approved nothing")
    loop.console.say(f"version {version.version} approved by {version.approved_by}: {comment}")
    loop.note("approved in Airflow", f"by {version.approved_by}: {comment}", f"version {version.version}")
    return version


def _day(loop: Loop, day: date) -> dict[str, Any]:
    file = loop.folder / f"{day}.csv"
    rows = data.write_day(file, "drifted", day, loop.seed)
    loop.console.say(f"{rows} customers of {day} -> {loop.cloud.put_day(day, file)}")
    run = batches.by_hand(loop.api, loop.cloud, day, loop.console.say)
    loop.must(run["state"] == "success", f"the run of {day} ended {run['state']}")
    record = loop.cloud.verdicts(day)[-1]
    published = loop.cloud.manifest(day) is not None
    share = f"{len(record['violated_features'])} of {record['monitored_features']} features"
    outcome = f"{record['verdict']} ({share}), {'published' if published else 'not published'}"
    loop.note(f"day {day}", outcome, f"version {record['model']['version']}")
    loop.console.say(f"{day}: {outcome}")
    return record


def _drifting_day(loop: Loop, day: date, version: registry.ModelVersion, *, last: bool) -> None:
    record = _day(loop, day)
    loop.must(record["verdict"] == "held", f"{day} is {record['verdict']}, not held")
    loop.must(record["model"]["version"] == version.version, f"{day} was not scored by version {version.version}")
    dag = names.watchdog_dag(USE_CASE)
    if last:
        # The sender of the training data: customers as they are now, with what became of them.
        columns, _ = data.training(loop.seed)
        rows = list(data.customers(Random(f"{loop.seed}/now"), data.TRAINING_ROWS, data.DRIFT))  # noqa: S311 - made up
        file = loop.folder / "training-now.csv"
        data.write(file, columns, rows)
        loop.console.say(f"{len(rows)} customers of these days -> {loop.cloud.put_training(file)}")
    run = loop.api.trigger(dag)
    loop.finish(dag, run)
    request = loop.api.xcom(dag, run, "consider_retraining")
    loop.must(bool(request) == last, f"after {day} the watchdog {'requested a model' if request else 'requested none'}")
    said = f"requests a model: {request['reason']}" if request else "asks for nothing yet"
    loop.console.say(f"watchdog: {said}")
    loop.note("watchdog", said)


def _next_day(loop: Loop, day: date, version: registry.ModelVersion) -> None:
    record = _day(loop, day)
    manifest = loop.cloud.manifest(day)
    loop.must(record["verdict"] in {"clean", "warned"}, f"{day} is {record['verdict']} by the new version")
    loop.must(manifest is not None, f"{day} is not published")
    by = (manifest or {}).get("model_package_version")
    loop.must(by == version.version, f"{day} is published by version {by}, not {version.version}")


def _labels(loop: Loop, day: date, version: registry.ModelVersion) -> None:
    file = loop.folder / f"{day}-labels.csv"
    count, dag = data.write_labels(file, "drifted", day, loop.seed), names.quality_dag(USE_CASE)
    loop.console.say(f"{count} labels of {day} -> {loop.cloud.put_labels(day, file)}")
    run = loop.api.trigger(dag)
    loop.finish(dag, run)
    found = loop.cloud.quality(day)
    loop.must(bool(found), f"{day} has no quality record")
    if not found:
        return
    record = found[-1]
    told = {name: record["metrics"][name]["value"] for name in SHOWN if name in record["metrics"]}
    figures = ", ".join(f"{name} {value:.4f}" for name, value in told.items() if value is not None)
    outcome = f"quality {record['verdict']}: {figures} ({record['labels']['matched']} of {count} labels matched)"
    loop.console.say(f"{day}: {outcome}")
    loop.must(record["verdict"] == "good", f"the quality of {day} is {record['verdict']}")
    loop.must(record["labels"]["matched"] == count, f"{record['labels']['matched']} of {count} labels matched")
    by = record["model_package_version"]
    loop.must(by == version.version, f"{day} was judged as version {by}'s, not {version.version}'s")
    loop.note(f"labels of {day}", outcome, f"version {by}")


def table(rows: Sequence[Row]) -> str:
    """Return the story as a table; a line is what happened, and below it what people were told."""
    width = max(len(row.what) for row in rows)
    model = max(len(row.model) for row in rows)
    lines = []
    for row in rows:
        lines.append(f"{row.what:<{width}}  {row.model:<{model}}  {row.outcome}".rstrip())
        lines += [f"{'':<{width}}  {'':<{model}}  alert: {subject}" for subject in row.told]
    return "\n".join(lines)
