"""One use case = one YAML file: what it may say, and clear words where it is wrong.

Airflow parses DAG files often, so this imports pydantic and YAML only (zone data and difflib when needed).
`python -m sagemaker_batch.use_case` prints the JSON Schema that editors use (docs/contracts/use_case.schema.json).
"""

import json
import re
import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
PLACEHOLDERS = {"bucket", "use_case", "day"}
NAME_PATTERN = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
NAME_LIMIT = 40


class Section(BaseModel):
    """A part of the file: unknown keys are mistakes, values are never coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


ColumnName = Annotated[str, Field(min_length=1)]
ConnectionId = Annotated[str, Field(min_length=1)]


class Label(Section):
    """The column a model learns to predict."""

    name: ColumnName = Field(description="Column of the training data that holds the outcome.")
    positive: str = Field(description="Text of that column that means yes; every other text means no.")


class Ready(Section):
    """When a day's input is complete: a marker object, or files plus a quiet period."""

    success_object: str | None = Field(
        default=None, min_length=1, description="Object that the sender writes last, such as _SUCCESS."
    )
    files: list[str] | None = Field(
        default=None, min_length=1, description="Patterns of file names, each of which must match at least one object."
    )
    quiet_seconds: int = Field(
        default=0,
        ge=0,
        description="With files: how long nothing may have changed before the day is complete.",
    )
    deadline_minutes: int = Field(
        default=360, ge=1, description="How long a scheduled run waits after the day has ended; backfills do not wait."
    )

    @model_validator(mode="after")
    def _one_rule(self) -> "Ready":
        if (self.success_object is None) == (self.files is None):
            raise ValueError("say either success_object or files, not both and not neither")
        if self.success_object is not None and self.quiet_seconds:
            raise ValueError("quiet_seconds goes with files; with success_object the marker alone decides")
        return self


class Data(Section):
    """Where the data lies and what its columns mean."""

    input: str = Field(
        default="s3://{bucket}/{use_case}/input/dt={day}/",
        description="Prefix of one day's files; {bucket}, {use_case} and {day} are filled in.",
    )
    training_input: str = Field(
        default="s3://{bucket}/{use_case}/training/input/",
        description="Prefix of the training data set; {bucket} and {use_case} are filled in.",
    )
    record_id: ColumnName = Field(description="Column that identifies a record; unique within a day, never a feature.")
    label: Label
    delimiter: str = Field(
        default=",", min_length=1, max_length=1, description="One character between the cells of a line."
    )
    categorical: list[ColumnName] = Field(
        default_factory=list, description="Columns that look like numbers and are names, such as an area code."
    )
    ignore: list[ColumnName] = Field(
        default_factory=list,
        description="Columns that arrive and are neither monitored nor features, such as free text.",
    )
    sensitive: list[ColumnName] = Field(
        default_factory=list, description="Columns whose values must not appear in alerts, pages and reports."
    )
    ready: Ready

    @field_validator("input", "training_input")
    @classmethod
    def _a_prefix(cls, value: str) -> str:
        unknown = set(re.findall(r"{([^{}]*)}", value)) - PLACEHOLDERS
        if unknown:
            raise ValueError(f"unknown placeholder {{{min(unknown)}}}; known are {{bucket}}, {{use_case}} and {{day}}")
        if not re.fullmatch(r"s3://[^/]+/.*/", value):
            raise ValueError("expected a prefix s3://<bucket>/<path>/ with the closing slash")
        return value

    @model_validator(mode="after")
    def _columns_and_day(self) -> "Data":
        if "{day}" not in self.input:
            raise ValueError("input needs {day}; without it every day would score the same files")
        if "{day}" in self.training_input:
            raise ValueError("training_input is one data set; {day} has no meaning there")
        if self.record_id == self.label.name:
            raise ValueError(f"record_id and label.name are both {self.record_id!r}; they must differ")
        for name in (self.record_id, self.label.name):
            if name in (*self.categorical, *self.ignore):
                raise ValueError(f"{name!r} is record_id or label and cannot also stand in categorical or ignore")
        return self


class Schedule(Section):
    """When the two DAGs run. A batch day starts at the batch cron's moment in this time zone."""

    training: str | None = Field(
        default="0 2 1 * *", description="Cron of the training DAG; null for runs by hand only."
    )
    batch: str = Field(default="0 0 * * *", description="Cron of the daily DAG; each interval is one batch day.")
    timezone: str = Field(default="UTC", description="IANA time zone of both crons and of the batch day.")
    start_date: date = Field(default=date(2026, 1, 1), description="First day that may run or be backfilled.")
    catchup: bool = Field(default=False, description="Whether unpausing runs every day since start_date.")

    @field_validator("training", "batch")
    @classmethod
    def _a_cron(cls, value: str | None) -> str | None:
        if value is not None:
            check_cron(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        import zoneinfo

        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no IANA time zone; examples: UTC, Europe/Berlin") from None
        return value


class Split(Section):
    """How training data is divided; the rest after validation and test trains."""

    validation: float = Field(default=0.2, gt=0, lt=1, description="Share of rows that stop the training early.")
    test: float = Field(default=0.1, gt=0, lt=1, description="Share of rows that the evaluation sees.")
    seed: int = Field(default=1729, ge=0, description="Seed of the shuffle.")

    @model_validator(mode="after")
    def _something_left(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together leave no row to train on")
        return self


class Instances(Section):
    """Instance types that replace the environment's."""

    processing: str | None = Field(
        default=None, pattern=r"^ml\..+", description="Of processing jobs and quality checks."
    )
    training: str | None = Field(default=None, pattern=r"^ml\..+", description="Of the training job.")
    transform: str | None = Field(default=None, pattern=r"^ml\..+", description="Of the batch transform.")


class Model(Section):
    """Which model scores, how good it must be, how it is trained."""

    policy: Literal["latest", "as_of", "published"] = Field(
        default="latest",
        description="Which scores: newest approved, newest approved by then, or the manifest's.",
    )
    accuracy_threshold: float = Field(
        default=0.6, ge=0, le=1, description="Below it a trained model is not registered."
    )
    hyperparameters: dict[str, str | int | float] = Field(
        default_factory=dict, description="Of SageMaker's built-in XGBoost; they replace the defaults one by one."
    )
    split: Split = Field(default_factory=Split)
    instances: Instances = Field(default_factory=Instances)


class MonitorOverrides(Section):
    """What the analyzer lets a use case change."""

    categorical_drift_method: Literal["LInfinity", "ChiSquared"] | None = Field(
        default=None, description="How drift of categories is measured."
    )


class Monitor(Section):
    """Who checks the day's data."""

    engine: Literal["managed", "bundled"] = Field(
        default="managed", description="AWS's analyzer in check steps, or our own in a processing step; same reports."
    )
    overrides: MonitorOverrides = Field(default_factory=MonitorOverrides)


class Severity(Section):
    """When a violation is critical."""

    critical_share: float = Field(
        default=0.3, gt=0, le=1, description="Share of the monitored features at which violations hold the day."
    )
    report: Literal["violations"] = Field(
        default="violations", description="Report that decides: Model Monitor's violations."
    )

    @field_validator("report", mode="before")
    @classmethod
    def _built(cls, value: object) -> object:
        if value == "drift_report":
            raise ValueError("deciding by drift_report is not built yet; use violations")
        return value


class Routes(Section):
    """Airflow connections that each severity goes to."""

    warning: list[ConnectionId] = Field(default_factory=list)
    critical: list[ConnectionId] = Field(default_factory=list)
    error: list[ConnectionId] = Field(default_factory=list)


class Alerts(Section):
    """Who hears of it: lists of Airflow connection ids."""

    routes: Routes = Field(default_factory=Routes)
    digest: list[ConnectionId] = Field(default_factory=list, description="Where one summary of a backfill goes.")


class UseCase(Section):
    """Everything that is particular to one model. The file's name is the use case's name."""

    name: str = Field(pattern=f"^{NAME_PATTERN}$", max_length=NAME_LIMIT)
    description: str = Field(default="", description="What the model is for, in a sentence.")
    owners: list[str] = Field(min_length=1, description="Who answers for it; shown by Airflow.")
    tags: list[str] = Field(default_factory=list, description="Tags of both DAGs.")
    retries: int = Field(default=2, ge=0, le=10, description="How often Airflow repeats a failed task.")
    retry_delay_seconds: int = Field(default=60, ge=0, description="Pause before a repeat.")
    data: Data
    schedule: Schedule = Field(default_factory=Schedule)
    model: Model = Field(default_factory=Model)
    monitor: Monitor = Field(default_factory=Monitor)
    severity: Severity = Field(default_factory=Severity)
    approval: Literal["manual", "auto"] = Field(
        default="manual", description="Who approves a registered version: a person, or the accuracy threshold alone."
    )
    alerts: Alerts = Field(default_factory=Alerts)

    @field_validator("approval", mode="before")
    @classmethod
    def _built(cls, value: object) -> object:
        if value == "airflow":
            raise ValueError("approval inside Airflow is not built yet; use manual or auto")
        return value

    def input_uri(self, bucket: str, day: date) -> str:
        """Prefix of one day's files, with the closing slash."""
        return self.data.input.format(bucket=bucket, use_case=self.name, day=day.isoformat())

    def training_input_uri(self, bucket: str) -> str:
        """Prefix of the training data set, with the closing slash."""
        return self.data.training_input.format(bucket=bucket, use_case=self.name)


@dataclass(frozen=True)
class Problem:
    """One mistake: line (1-based, or None for the whole file), dotted key, what is wrong, what to do."""

    line: int | None
    key: str
    what: str
    suggestion: str = ""


@dataclass(eq=False)
class UseCaseError(Exception):
    """A use-case file that cannot be used.

    `name`, `schedule` and `alerts` are what could be read all the same, so that its DAGs keep ids and schedule.
    """

    path: Path
    name: str
    problems: list[Problem]
    schedule: Schedule = field(default_factory=Schedule)
    alerts: Alerts = field(default_factory=Alerts)

    def __str__(self) -> str:
        lines = [f"The use case {self.name!r} cannot run: {self.path.name} is wrong."]
        for problem in self.problems:
            where = f"{self.path}:{problem.line}" if problem.line else str(self.path)
            key = f" {problem.key}:" if problem.key else ""
            hint = f" {problem.suggestion}" if problem.suggestion else ""
            lines.append(f"  {where}:{key} {problem.what}.{hint}")
        lines.append("Correct the file; the other use cases run on. Keys: docs/contracts/use_case.schema.json")
        return "\n".join(lines)


def check_cron(text: str) -> None:
    """Refuse what is no cron of five fields (names and presets are not accepted, so that all readers agree).

    Raises:
        ValueError: saying which field is wrong.
    """
    fields = text.split()
    if len(fields) != len(CRON_RANGES):
        raise ValueError(f"{text!r} is no cron: expected 5 fields (minute hour day month weekday), found {len(fields)}")
    for value, (low, high) in zip(fields, CRON_RANGES, strict=True):
        for part in value.split(","):
            found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/([1-9]\d*))?", part)
            numbers = [int(number) for number in found.groups()[:2] if number] if found else [-1]
            if numbers != sorted(numbers) or any(not low <= number <= high for number in numbers):
                raise ValueError(f"{text!r} is no cron: {part!r} is not within {low}-{high}")


def load_use_case(path: str | Path) -> UseCase:
    """Read and check one use-case file.

    Raises:
        UseCaseError: the file is missing, no YAML, or says something it may not; all mistakes in one text.
    """
    path = Path(path)
    name = path.stem
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UseCaseError(path, name, [Problem(None, "", f"it cannot be read ({error})")]) from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        content = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError) as error:
        raise UseCaseError(path, name, [_syntax_problem(error)], *_salvage(_blocks(text))) from error
    finally:
        loader.dispose()
    if node is None or not isinstance(content, dict):
        what = "it is empty" if content is None else "expected sections such as data: and schedule:"
        raise UseCaseError(path, name, [Problem(1, "", what)])
    problems = _duplicates(node, "")
    if "name" in content:
        problems.append(
            Problem(_line(node, ("name",)), "name", "the use case is called as its file", "Remove the key.")
        )
    try:
        use_case = UseCase.model_validate({**content, "name": name})
    except ValidationError as error:
        # One problem a key: each branch of a union reports on its own.
        found: dict[str, Problem] = {}
        for item in error.errors(include_url=False):
            problem = _problem(item, node)
            found.setdefault(problem.key, problem)
        problems += found.values()
        raise UseCaseError(path, name, problems, *_salvage(content)) from None
    if problems:
        raise UseCaseError(path, name, problems, *_salvage(content))
    return use_case


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a use-case file, for editors: the name is the file's and no key."""
    schema = UseCase.model_json_schema()
    del schema["properties"]["name"]
    schema["required"].remove("name")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _syntax_problem(error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    return Problem(
        mark.line + 1 if mark else None,
        "",
        f"this is no YAML: {said}",
        "Check indentation and quotes; a text with ': ' or a leading '{' needs quotes.",
    )


def _line(node: yaml.Node | None, location: tuple[Any, ...]) -> int | None:
    line = node.start_mark.line + 1 if node else None
    for part in location:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found:
                line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            found, line = (node, node), node.start_mark.line + 1
        if found is None:
            break
    return line


def _duplicates(node: yaml.Node, prefix: str) -> list[Problem]:
    # YAML lets a later key silently replace an earlier one.
    problems = []
    seen: set[str] = set()
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            dotted = f"{prefix}.{key.value}".lstrip(".")
            if key.value in seen:
                problems.append(Problem(key.start_mark.line + 1, dotted, "this key stands twice", "Keep one."))
            seen.add(str(key.value))
            problems += _duplicates(value, dotted)
    return problems


def _problem(error: Any, node: yaml.Node) -> Problem:
    location = tuple(part for part in error["loc"] if not (isinstance(part, str) and part in {"str", "int", "float"}))
    key = ".".join(str(part) for part in location)
    line = _line(node, location)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem(line, key, "unknown key", _did_you_mean(str(location[-1]), _known_keys(location[:-1])))
    if kind == "missing":
        return Problem(line, key, "this key is missing", "Add it.")
    if key == "name":
        rule = f"lower-case letters, digits and single underscores, at most {NAME_LIMIT} characters"
        return Problem(None, "", f"a use case's file name is its name: {rule}", "Rename the file.")
    what = str(context["error"]) if kind == "value_error" else error["msg"][0].lower() + error["msg"][1:]
    hint = ""
    if location != error["loc"]:
        what = "expected a text or a number"
    if kind == "literal_error" and isinstance(error["input"], str):
        hint = _did_you_mean(error["input"], re.findall(r"'([^']*)'", context["expected"]), otherwise=False)
    if kind == "string_type":
        hint = f"Found {error['input']!r}; put it in quotes if it is meant as text."
    return Problem(line, key, what, hint)


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    model: Any = UseCase
    for part in location:
        model = model.model_fields[part].annotation
    return [name for name in model.model_fields if model is not UseCase or name != "name"]


def _did_you_mean(word: str, known: list[str], *, otherwise: bool = True) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known here: {', '.join(known)}." if otherwise else ""


Kind = TypeVar("Kind", bound=Section)


def _section(content: dict[Any, Any], key: str, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate(content.get(key) or {})
    except ValidationError:
        return kind()


def _salvage(content: dict[Any, Any]) -> tuple[Schedule, Alerts]:
    return _section(content, "schedule", Schedule), _section(content, "alerts", Alerts)


def _blocks(text: str) -> dict[str, Any]:
    # Of a file that is no YAML as a whole, the top-level sections that are.
    content: dict[str, Any] = {}
    for block in re.findall(r"^(?:schedule|alerts):.*(?:\n(?:[ \t#].*)?)*", text, re.MULTILINE):
        try:
            content.update(yaml.safe_load(block))
        except yaml.YAMLError:
            continue
    return content


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
