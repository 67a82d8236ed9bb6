"""Every way in which input can be bad: what arrives, how the run ends, and what a person is told.

`test_bad_input.py` sends each case through a real house and holds the message to `says`; docs/bad-input.md is made
from the same table (`python -m tests.integration.bad_input`), so that the page stays true. In `says`, `…` stands for
what differs from run to run.
"""

import csv
import gzip
import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from local import data

PAGE = Path(__file__).parents[2] / "docs" / "bad-input.md"
SEED = 7
FILE = "batch.csv"
ERROR, HELD, WARNED = "error", "held", "warned"
# What people hear it as, unless the case says otherwise.
EVENT = {ERROR: "pipeline_failed", HELD: "broken_schema", WARNED: "drift_warning"}
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Case:
    """One kind of bad input. `says` is what task log, alert and (if `judged`) verdict record must all hold.

    `heard_as` is the event of its alert where that is not the usual one of such an end.
    """

    key: str
    given: str
    end: str
    says: str
    task: str = "assess_batch"
    use_case: str = "churn"
    make: Callable[[date], dict[str, bytes]] | None = None
    heard_as: str = ""

    @property
    def event(self) -> str:
        """Event of its alert, by which the use case routes it and the runbook says what to do."""
        return self.heard_as or EVENT[self.end]

    @property
    def judged(self) -> bool:
        """Whether the run comes far enough to leave a verdict record."""
        return self.task == "assess_batch"

    def told_in(self, text: str) -> bool:
        """Tell whether a text holds the message; line breaks and indents do not matter."""
        wanted = ".*?".join(re.escape(part) for part in _flat(self.says).split("…"))
        return re.search(wanted, _flat(text)) is not None


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _text(columns: list[str], rows: Rows, delimiter: str = ",") -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _changed(change: Callable[[list[str], Rows], object], delimiter: str = ",") -> Callable[[date], dict[str, bytes]]:
    """Return a maker of a clean day with one change to its columns and rows."""

    def make(day: date) -> dict[str, bytes]:
        columns, rows = data.day(SEED, "clean", day)
        change(columns, rows)
        return {FILE: _text(columns, rows, delimiter).encode()}

    return make


def _generated(kind: str) -> Callable[[date], dict[str, bytes]]:
    return lambda day: {FILE: _text(*data.day(SEED, kind, day)).encode()}


def _truncated(day: date) -> dict[str, bytes]:
    whole = _text(*data.day(SEED, "clean", day)).encode()
    return {FILE: whole[: len(whole) * 2 // 3].rsplit(b",", 1)[0]}


def _header_only(day: date) -> dict[str, bytes]:
    columns, _ = data.day(SEED, "clean", day)
    return {FILE: _text(columns, []).encode()}


def _gzip(day: date) -> dict[str, bytes]:
    return {FILE: gzip.compress(_text(*data.day(SEED, "clean", day)).encode())}


def _nothing(_: list[str], __: Rows) -> None:
    """Leave the day as it is."""


def _cell(column: str, text: str, row: int = 41) -> Callable[[list[str], Rows], object]:
    def change(_: list[str], rows: Rows) -> None:
        rows[row][column] = text

    return change


def _duplicate(_: list[str], rows: Rows) -> None:
    rows[99][data.RECORD_ID] = rows[41][data.RECORD_ID]


def _extra(columns: list[str], rows: Rows) -> None:
    columns.append("Loyalty Points")
    for number, row in enumerate(rows):
        row["Loyalty Points"] = str(number)


def _label(columns: list[str], rows: Rows) -> None:
    columns.append(data.LABEL)
    for row in rows:
        row[data.LABEL] = "True." if row["VMail Plan"] == "no" else "False."


DAYS = [
    Case(
        "day-missing",
        "no file for the batch day (a run by hand or a backfill; a run on schedule waits until the deadline)",
        ERROR,
        "Batch day … of churn has no complete input: there is no object below s3://…/churn/input/dt=…/; a manual run "
        "never waits. Put the day's files below s3://…/ and run the day again.",
        task="wait_for_batch",
        make=lambda _: {},
        heard_as="batch_late",
    ),
    Case(
        "empty",
        "an empty file",
        ERROR,
        "batch.csv is empty (0 bytes): not even a header. Send the file again.",
        make=lambda _: {FILE: b""},
    ),
    Case(
        "header-only",
        "a header and no record",
        ERROR,
        "batch.csv has a header and no record. Send the records, or no file for the day.",
        make=_header_only,
    ),
    Case(
        "truncated",
        "a file that was cut during transfer",
        ERROR,
        "batch.csv is truncated: in its last line (…) it has … of 20 cells. The transfer probably broke off: send the "
        "file again (a complete file ends with a line break).",
        make=_truncated,
    ),
    Case(
        "delimiter",
        "another delimiter than the use case's",
        ERROR,
        "batch.csv: columns are separated by a semicolon, expected a comma. Send it with that delimiter, or change "
        "data.delimiter of the use case and train again.",
        make=_changed(_nothing, ";"),
    ),
    Case(
        "gzip",
        "a gzip file",
        ERROR,
        "batch.csv is a gzip file, expected plain CSV text. Send it uncompressed, as .csv.",
        make=_gzip,
    ),
    Case(
        "id-twice",
        "the same record id twice",
        ERROR,
        "batch.csv, line 101: the record id '…' stood on an earlier line already. 'Phone' must be unique within a day: "
        "remove the duplicate.",
        make=_changed(_duplicate),
    ),
    Case(
        "id-empty",
        "an empty record id",
        ERROR,
        "batch.csv, line 43: the record id ('Phone') is empty. Every record needs one.",
        make=_changed(_cell(data.RECORD_ID, "")),
    ),
    Case(
        "id-comma",
        "a record id with a comma",
        ERROR,
        "batch.csv, line 43: the record id '555,1234' holds a comma, quote or line break, which the batch transform "
        "cannot carry unchanged. Use another id.",
        make=_changed(_cell(data.RECORD_ID, "555,1234")),
    ),
    Case(
        "id-quote",
        "a record id with a quote",
        ERROR,
        "batch.csv, line 43: the record id '555\"1234' holds a comma, quote or line break, which the batch transform "
        "cannot carry unchanged. Use another id.",
        make=_changed(_cell(data.RECORD_ID, '555"1234')),
    ),
    Case(
        "id-newline",
        "a record id with a line break",
        ERROR,
        "batch.csv, line 44: the record id '555\\n1234' holds a comma, quote or line break, which the batch transform "
        "cannot carry unchanged. Use another id.",
        make=_changed(_cell(data.RECORD_ID, "555\n1234")),
    ),
    Case(
        "column-missing",
        "a column less",
        HELD,
        "column 'CustServ Calls' is missing",
        make=_generated("missing-column"),
    ),
    Case(
        "column-extra", "a column more", HELD, "column 'Loyalty Points' is unknown to the model", make=_changed(_extra)
    ),
    Case(
        "label",
        "the label among the columns",
        HELD,
        "column 'Churn?' is the label that the model predicts; a batch must not carry it",
        make=_changed(_label),
    ),
    Case(
        "text-in-number",
        "text in a column of numbers",
        HELD,
        "column 'Day Mins' holds text where the model needs a number (1 cells, first on line 43)",
        make=_changed(_cell("Day Mins", "many")),
    ),
    Case(
        "drifted",
        "values that drifted in many columns (`severity.critical_share`)",
        HELD,
        "of 19 monitored features (…%) violate their constraints; critical from 30%.",
        make=_generated("drifted"),
        heard_as="drift_critical",
    ),
    Case(
        "nulls",
        "empty cells in a few columns",
        WARNED,
        "3 of 19 monitored features (15.8%) violate their constraints; below 30%.",
        make=_generated("nulls"),
    ),
    Case(
        "category",
        "a category that the training data does not have; it is scored as unknown and counted",
        WARNED,
        "1 of 19 monitored features (5.3%) violate their constraints; below 30%.",
        make=_changed(_cell("State", "ZZ")),
    ),
]
CLEAN = _generated("clean")
RUNS = [
    Case(
        "no-batch-day",
        "a run by hand without `batch_day`",
        ERROR,
        "This manual run does not say which day to score. Trigger it again with batch_day, for example "
        '{"batch_day": "2026-03-03"}; for several days ask for a backfill.',
        task="wait_for_batch",
        heard_as="dag_failed",
    ),
    Case(
        "future",
        "a `batch_day` that is not over",
        ERROR,
        "Batch day … is not over: it ends at …, and now it is … (UTC). Trigger the run after that.",
        task="wait_for_batch",
        heard_as="dag_failed",
    ),
    Case(
        "unapproved",
        "no approved model",
        ERROR,
        "No approved model in model package group 'unapproved-local'. None is pending either: run the training DAG.",
        task="resolve_model",
        use_case="unapproved",
        make=CLEAN,
        heard_as="no_approved_model",
    ),
    Case(
        "bare",
        "an approved model without baselines or feature schema",
        ERROR,
        "Version 1 of 'bare-local' (…) lacks DriftCheckBaselines.ModelDataQuality.Statistics, "
        "DriftCheckBaselines.ModelDataQuality.Constraints, CustomerMetadataProperties.FeatureSchemaUri. It was "
        "probably not registered by the training pipeline. Run the training DAG and approve the version that it "
        "registers, or pin an older complete version.",
        task="resolve_model",
        use_case="bare",
        make=CLEAN,
        heard_as="dag_failed",
    ),
    Case(
        "undeclared",
        "a parameter that the deployed pipeline does not declare",
        ERROR,
        "Pipeline undeclared-batch-monitor-local was not started, nothing was spent: ModelPackageArn is not declared "
        "by the pipeline. Declared: …. Correct the DAG's parameters, or deploy the pipeline that this version of the "
        "DAG expects (`make deploy ACTION=apply`).",
        task="start_batch_monitor",
        use_case="undeclared",
        make=CLEAN,
    ),
    Case(
        "hanging",
        "a job that exceeds its MaxRuntime",
        ERROR,
        "Step PrepareBatch: MaxRuntimeExceeded: The job ran longer than MaxRuntimeInSeconds = 2 of its "
        "StoppingCondition and was ended. Raise that limit, or make the job's input smaller.",
        use_case="hanging",
        make=CLEAN,
    ),
    Case(
        "headless",
        "a model whose baseline was deleted from S3",
        ERROR,
        "Step MonitorBatchTransform-monitoring: …",
        use_case="headless",
        make=CLEAN,
    ),
    Case(
        "cracked",
        "a model whose file is damaged",
        ERROR,
        "Step MonitorBatchTransform-transform: …",
        use_case="cracked",
        make=CLEAN,
    ),
    Case(
        "broken",
        "an unknown key in a use case's file (the other use cases run on)",
        ERROR,
        "broken.yaml…acuracy_threshold…Did you mean accuracy_threshold?",
        task="use_case_is_broken",
        use_case="broken",
        heard_as="dag_failed",
    ),
]
INACCURATE = Case(
    "inaccurate",
    "accuracy below the threshold (the monthly DAG)",
    ERROR,
    "step AccuracyBelowThreshold: …0.…0.999…",
    task="wait_for_training",
)
ALL = [*DAYS, *RUNS, INACCURATE]


def page() -> str:
    """Return docs/bad-input.md."""
    ends = {
        ERROR: "error: the task fails, alert",
        HELD: "held: nothing is published, alert",
        WARNED: "warned: published, alert",
    }
    lines = [
        "# Bad input",
        "",
        "What arrives, how the run ends, and what the alert and the task's log say. `…` stands for what differs from",
        "run to run. Nothing is published unless the row says so; what an earlier run of the day published stays.",
        "Runs by hand and on schedule alert at once; the days of a backfill come in one digest.",
        "",
        "This page is made from the table that the integration tests send through a real Airflow",
        "(`python -m tests.integration.bad_input`), and they fail when a message differs.",
        "",
        "| Input | Ends as | Event | Task | Message |",
        "|---|---|---|---|---|",
    ]
    for case in ALL:
        says = case.says.replace("|", "\\|").replace("`", "'").replace("churn", "<use case>")
        event = f"[{case.event}](runbook.md#{case.event})"
        lines.append(f"| {case.given} | {ends[case.end]} | {event} | `{case.task}` | {says.replace('<', '&lt;')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} written\n")
