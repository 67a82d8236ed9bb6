"""`make on-call`: docs/on-call.md, from the shipped defaults: what the people on call have to expect.

    python -m local.on_call            write the page
    python -m local.on_call --check    exit code 1 when it is not what the code says

The days are made by the generator, checked by the analyzer and judged by the rules of the daily DAG, each in a moment
and without a house; a test makes them again. What needs receivers or a house (lost alerts, seconds) is recorded in
docs/on-call.json by those who measure it: `RECORD_ON_CALL=1` on tests/unit/plugin/test_on_call.py, and
`python -m local.alert_seconds`.
"""

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any

from include.pipeline_scripts.monitor_analyzer import checks, constraints, drift_report, statistics
from include.pipeline_scripts.monitor_analyzer.profile import Profile, profile_blocks
from local import data, environment
from sagemaker_batch import drift, events, verdict, violations
from sagemaker_batch.use_case import UseCase, load_use_case

PAGE = environment.REPO / "docs" / "on-call.md"
RECORD = environment.REPO / "docs" / "on-call.json"
RUNBOOK = environment.REPO / "docs" / "runbook.md"
SHIPPED = environment.REPO / "dags" / "use_cases" / "churn.yaml"
SEED, CLEAN_DAYS, DRIFTED_DAYS = 7, 60, 5
FIRST = date(2026, 1, 5)
RULES = ("violations", "drift_report")
Rows = list[dict[str, str]]
WORDS = {"clean": "nothing told", "warned": "warning, published", "held": "critical, held"}


@dataclass(frozen=True)
class Injection:
    """A change of a clean day; `change` gets the day's own random numbers and its rows."""

    what: str
    change: Callable[[Random, Rows], None]
    drops: str = ""


def _scaled(column: str, factor: float) -> Callable[[Random, Rows], None]:
    def change(_random: Random, rows: Rows) -> None:
        for row in rows:
            row[column] = f"{float(row[column]) * factor:.1f}"

    return change


def _emptied(column: str, share: float) -> Callable[[Random, Rows], None]:
    def change(random: Random, rows: Rows) -> None:
        for row in random.sample(rows, round(share * len(rows))):
            row[column] = ""

    return change


def _told(column: str, texts: Sequence[str], share: float) -> Callable[[Random, Rows], None]:
    def change(random: Random, rows: Rows) -> None:
        for row in random.sample(rows, round(share * len(rows))):
            row[column] = random.choice(texts)

    return change


def _everybody(random: Random, rows: Rows) -> None:
    rows[:] = list(data.customers(random, len(rows), data.DRIFT))


INJECTIONS = (
    Injection("everybody calls 1.6 to 1.9 times as long", _everybody),
    Injection("`Day Mins` 10 % up (0.3 standard deviations)", _scaled("Day Mins", 1.1)),
    Injection("`Day Mins` 30 % up (one standard deviation)", _scaled("Day Mins", 1.3)),
    Injection("`Day Mins` in another unit (seconds)", _scaled("Day Mins", 60)),
    Injection("half of the customers from one state", _told("State", ["OH"], 0.5)),
    Injection("half of `Int'l Plan` says yes (a quarter before)", _told("Int'l Plan", ["yes"], 0.34)),
    Injection("`CustServ Calls` of 40 % is 4 or 5", _told("CustServ Calls", ["4", "5"], 0.4)),
    Injection("1 % of `State` is unknown to the model", _told("State", ["PR"], 0.01)),
    Injection("2 % of `Night Charge` is empty", _emptied("Night Charge", 0.02)),
    Injection("one value of `Day Calls` is a text", _told("Day Calls", ["many"], 0.001)),
    Injection("column `CustServ Calls` is missing", lambda _random, _rows: None, drops="CustServ Calls"),
)


class Judge:
    """The shipped use case with a baseline of the generator's training data."""

    def __init__(self, use_case: UseCase, seed: int) -> None:
        self.use_case = use_case
        self.seed = seed
        before = profile(data.training(seed)[1])
        self.limits = constraints.parse(constraints.suggest(before), "constraints.json")
        self.baseline = statistics.parse(statistics.document(before), "statistics.json")

    def day(self, number: int, injection: Injection | None = None) -> dict[str, str]:
        """Return the verdict on a day by each report that may decide."""
        when = FIRST + timedelta(days=number)
        _, rows = data.day(self.seed, "clean", when)
        if injection is not None:
            injection.change(Random(f"{self.seed}/{injection.what}/{when}"), rows)  # noqa: S311 - made-up people
        today = profile(rows, injection.drops if injection else "", self.limits.watched)
        found = [
            violations.Violation(item.feature_name, item.constraint_check_type, item.description)
            for item in checks.violations(today, self.limits, self.baseline)
        ]
        report = drift_report.document(today, self.baseline, frozenset())
        flagged = drift.findings(report, self.use_case.severity.drift, "drift_report.json")
        said = f"{verdict.VIOLATIONS_MESSAGE if found else verdict.CLEAN_MESSAGE} Job completed successfully"
        broken = any(item.breaks_schema for item in found)
        evidence = verdict.Evidence(
            execution_status="Failed" if broken else "Succeeded",
            execution_reason="",
            monitoring_status="Succeeded",
            exit_message=said,
            violations=found,
            monitored=len(today.columns),
            scorable=not broken,
            transform_status="" if broken else "Succeeded",
        )
        share = self.use_case.severity.critical_share
        return {
            "violations": verdict.decide(evidence, share).verdict,
            "drift_report": verdict.decide(replace(evidence, drift=flagged), share).verdict,
        }


def profile(rows: Rows, without: str = "", watched: dict[str, list[str]] | None = None) -> Profile:
    """Return the profile of the monitored columns."""
    columns = [name for name in data.COLUMNS if name not in {data.RECORD_ID, data.LABEL, without}]
    return profile_blocks(columns, [[[row[name] for row in rows] for name in columns]], watched)


def seeded() -> dict[str, Any]:
    """Return what the seeded days came to: by rule, alerts on clean days and on days with each injection."""
    judge = Judge(load_use_case(SHIPPED), SEED)
    clean = [judge.day(number) for number in range(CLEAN_DAYS)]
    drifted = {
        item.what: [judge.day(CLEAN_DAYS + number, item) for number in range(DRIFTED_DAYS)] for item in INJECTIONS
    }
    return {"clean": clean, "drifted": drifted}


def false_alarms(found: dict[str, Any], rule: str) -> int:
    """Return how many clean days were told of."""
    return sum(day[rule] != "clean" for day in found["clean"])


def page(found: dict[str, Any], measured: dict[str, Any]) -> str:
    """Return the text of the page."""
    return "\n".join([*_head(), *_clean(found), *_drifted(found), *_delivery(measured), *_runbook()]).rstrip() + "\n"


def _paragraph(text: str) -> list[str]:
    return [*textwrap.wrap(text, 128, break_long_words=False, break_on_hyphens=False), ""]


def _head() -> list[str]:
    return [
        "# What the people on call have to expect",
        "",
        *_paragraph(
            "Made by `make on-call` from the shipped use case `churn` with its defaults; a test makes the days again "
            "and fails when this page says otherwise. Your data has other noise: `make constraints` shows what limits "
            "of yours would have done to your own days ([constraints](constraints.md))."
        ),
    ]


def _clean(found: dict[str, Any]) -> list[str]:
    share = load_use_case(SHIPPED).severity.critical_share
    return [
        "## False alarms",
        "",
        *_paragraph(
            f"{CLEAN_DAYS} seeded clean days of about {data.DAY_ROWS} rows against a baseline of "
            f"{data.TRAINING_ROWS:,}, critical from {share:.0%} of the features."
        ),
        "| `severity.report` | clean days told of |",
        "|---|---|",
        *[
            f"| `{rule}`{' (the default)' if rule == RULES[0] else ''} | {false_alarms(found, rule)} of {CLEAN_DAYS} |"
            for rule in RULES
        ],
        "",
    ]


def _drifted(found: dict[str, Any]) -> list[str]:
    total = sum(len(days) for days in found["drifted"].values())
    missed = [sum(day[rule] == "clean" for days in found["drifted"].values() for day in days) for rule in RULES]
    return [
        "## What is told, and what is missed",
        "",
        *_paragraph(
            f"{DRIFTED_DAYS} seeded days of each; a day is missed when it is judged clean. `violations` follows Model "
            "Monitor's own rules, which see little in columns of few distinct values; `drift_report` needs the bundled "
            "engine."
        ),
        "| What happened to the day | by `violations` | by `drift_report` |",
        "|---|---|---|",
        *[
            f"| {what} | {' | '.join(_verdicts([day[rule] for day in days]) for rule in RULES)} |"
            for what, days in found["drifted"].items()
        ],
        f"| **missed** | **{missed[0]} of {total}** | **{missed[1]} of {total}** |",
        "",
    ]


def _verdicts(days: list[str]) -> str:
    parts = [f"{days.count(word)}x {said}" for word, said in WORDS.items() if word in days]
    return parts[0].partition(" ")[2] if len(parts) == 1 else ", ".join(parts)


def _delivery(measured: dict[str, Any]) -> list[str]:
    return [
        "## Alerts that are lost",
        "",
        *_paragraph(
            "Three alerts go to two connections, one of which is down: nobody listens on its port (SNS: the topic is "
            "gone). What it refuses waits in the outbox; then it comes back, and the watchdog's `flush_alerts` runs. "
            "Receivers on loopback that really listen, and SNS and SQS in memory."
        ),
        "| Channel that is down | heard by the other | heard late, once it is back | lost | heard twice |",
        "|---|---|---|---|---|",
        *[
            f"| `{kind}` | {row['other']} of {row['told']} | {row['late']} of {row['told']} | {row['lost']} | "
            f"{row['twice']} |"
            for kind, row in sorted(measured["delivery"].items())
        ],
        "",
        "## From the end of a run to the alert",
        "",
        *(_seconds(measured["seconds"]) if "seconds" in measured else _paragraph("Not measured yet.")),
    ]


def _seconds(told: dict[str, Any]) -> list[str]:
    rows = sorted(told["at_once"].items(), key=lambda item: int(item[0]))
    return [
        *_paragraph(
            "From the end of a day's pipeline execution to the moment at which SNS has its alert. Judging the day, "
            "branching and telling are tasks with processes of their own, which a busy machine starts late."
        ),
        "| Days at once | alerts | median | 95th percentile | longest |",
        "|---|---|---|---|---|",
        *[
            f"| {number} | {row['count']} | {row['median']:.1f} s | {row['p95']:.1f} s | {row['longest']:.1f} s |"
            for number, row in rows
        ],
        "",
        *_paragraph(
            f"Measured, not promised: {told['date']}, in one house (Airflow and SageMaker together) on "
            f"{told['machine']}, with a look at the execution every {told['poll_seconds']:g} s; the default of "
            "`poll_seconds` is 30, which adds up to as much. `python -m local.alert_seconds` measures it again."
        ),
    ]


def _runbook() -> Iterator[str]:
    yield "## Who is woken"
    yield ""
    yield "The [runbook](runbook.md) has first check and safe action of each event."
    yield ""
    yield "| Event | Severity | Wake |"
    yield "|---|---|---|"
    text = RUNBOOK.read_text(encoding="utf-8")
    for event, severity in events.SEVERITY.items():
        entry = text.split(f"\n## {event}\n")[1].split("\n## ")[0]
        wake = re.search(r"\*\*Wake\*\*: (.*)", entry)
        yield f"| [{event}](runbook.md#{event}) | {severity} | {wake[1] if wake else ''} |"
    yield ""


def recorded() -> dict[str, Any]:
    """Return what was measured elsewhere."""
    return dict(json.loads(RECORD.read_text(encoding="utf-8")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    argparse.ArgumentParser(prog="make on-call", description=__doc__).parse_args(arguments)
    PAGE.write_text(page(seeded(), recorded()), encoding="utf-8")
    print(PAGE.relative_to(environment.REPO))
    return 0


if __name__ == "__main__":
    sys.exit(main())
