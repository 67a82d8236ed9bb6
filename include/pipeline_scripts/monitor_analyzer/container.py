"""The analyzer as SageMaker's container: configuration, run, exit message, exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import checks, constraints, documents, drift_report, hooks, metrics, model_quality, shards, statistics
from .dataset import DatasetFormat, has_files, profile_dataset, read_records
from .errors import AnalyzerError
from .profile import Profile

DEFAULT_OPT_ML = "/opt/ml"
MESSAGE_LIMIT = 1024
FAILED = 255
# whole: the container's own way, one job. shard: this host's part of it (ShardedByS3Key). merge: the shards as a whole.
WHOLE, SHARD, MERGE = "whole", "shard", "merge"


@dataclass(frozen=True)
class Job:
    """One run as its environment describes it."""

    source: Path
    dataset_format: DatasetFormat
    output: Path
    baseline_statistics: Path | None
    baseline_constraints: Path | None
    environment: Mapping[str, str]
    metrics_folder: Path
    stage: str
    opt_ml: Path

    @property
    def monitoring(self) -> bool:
        """Whether there is a baseline to compare with; otherwise the run makes one."""
        return bool(self.baseline_statistics or self.baseline_constraints)

    def names(self, key: str) -> frozenset[str]:
        """Return the columns that a key of the environment lists, as JSON or with commas."""
        text = self.environment.get(key, "").strip()
        try:
            names = json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",")]
        except ValueError as error:
            raise AnalyzerError(f"{key} is neither a JSON list nor names with commas.") from error
        return frozenset(str(name) for name in names if name)

    @property
    def sensitive(self) -> frozenset[str]:
        """Return the columns whose values must not show outside the contract files."""
        return self.names("sensitive_features")

    @property
    def preprocessor(self) -> hooks.Preprocessor | None:
        """The user's handler for every record, imported when asked for."""
        script = self.environment.get("record_preprocessor_script")
        return hooks.Preprocessor(Path(script), self.environment, discreet=bool(self.sensitive)) if script else None


def load_job(opt_ml: Path) -> Job:
    """Return the job that `<opt_ml>/config/processingjobconfig.json` describes.

    Raises:
        AnalyzerError: the file or a part of its environment is missing or wrong.
    """
    path = opt_ml / "config" / "processingjobconfig.json"
    document = documents.read(path, "the processing job's configuration")
    environment = document.get("Environment") if isinstance(document, dict) else None
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        raise AnalyzerError("the configuration needs `Environment`, an object of texts.", file=str(path))

    def needed(key: str, example: str) -> str:
        value = environment.get(key)
        if not value:
            raise AnalyzerError(f"the environment lacks {key}.", file=str(path), hint=f"Set it, for example {example}.")
        return value

    def optional(key: str) -> Path | None:
        return Path(environment[key]) if environment.get(key) else None

    stage = environment.get("analysis_stage") or WHOLE
    if stage not in {WHOLE, SHARD, MERGE}:
        raise AnalyzerError(f"analysis_stage {stage!r} is not one of {WHOLE}, {SHARD}, {MERGE}.", file=str(path))
    csv = '{"csv": {"header": true}}'
    return Job(
        Path(needed("dataset_source", "/opt/ml/processing/input/baseline_dataset_input")),
        DatasetFormat.parse(
            environment.get("dataset_format", csv) if stage == MERGE else needed("dataset_format", csv)
        ),
        Path(needed("output_path", "/opt/ml/processing/output")),
        optional("baseline_statistics"),
        optional("baseline_constraints"),
        environment,
        Path(environment.get("CLOUDWATCH_METRICS_DIRECTORY") or opt_ml / metrics.DEFAULT_FOLDER),
        stage,
        opt_ml,
    )


def _hosts(opt_ml: Path) -> tuple[str, list[str]]:
    """Return this host's name and those of all hosts, as SageMaker writes them; without the file it is one."""
    path = opt_ml / "config" / "resourceconfig.json"
    if not path.exists():
        return "algo-1", ["algo-1"]
    content = documents.read(path, "the job's resource configuration")
    host, hosts = (content.get("current_host"), content.get("hosts")) if isinstance(content, dict) else (None, None)
    if not isinstance(host, str) or not isinstance(hosts, list) or host not in hosts:
        raise AnalyzerError("the configuration needs `hosts`, a list, and `current_host`, one of it.", file=str(path))
    return host, sorted(str(name) for name in hosts)


def _limits(job: Job) -> constraints.Constraints | None:
    """Return the baseline's constraints, if the job has some.

    Raises:
        AnalyzerError: they, or the environment's method, cannot be meant.
    """
    method = job.environment.get("categorical_drift_method")
    if method and method not in constraints.CATEGORICAL_METHODS:
        raise AnalyzerError(
            f"categorical_drift_method {method!r} is not one of {', '.join(constraints.CATEGORICAL_METHODS)}."
        )
    if not job.baseline_constraints:
        return None
    content = documents.read(job.baseline_constraints, "the baseline's constraints.json")
    return constraints.parse(content, str(job.baseline_constraints), method)


def shard(job: Job) -> tuple[dict[str, Any], str]:
    """Return this host's shard document and the job's exit message.

    A host may have been given no file, or files without a row: there are then fewer rows than hosts.
    """
    limits = _limits(job)
    watched = limits.watched if limits else {}
    host, hosts = _hosts(job.opt_ml)
    profile = Profile(0)
    if has_files(job.source):
        profile = profile_dataset(job.source, job.dataset_format, watched, job.preprocessor, rows_needed=False)
    content = shards.document(shards.Shard(host, hosts, profile, watched))
    name = f"{shards.PREFIX}{host}.json"
    return {name: content}, f"Completed: Shard {host} of {len(hosts)} holds {profile.item_count} rows."


def data_quality(job: Job) -> tuple[dict[str, Any], int, list[dict[str, Any]]]:
    """Return the result documents of a data quality run, its number of violations, and its metrics."""
    limits, baseline = _limits(job), None
    if job.baseline_statistics:
        content = documents.read(job.baseline_statistics, "the baseline's statistics.json")
        baseline = statistics.parse(content, str(job.baseline_statistics))
    watched = limits.watched if limits else None
    if job.stage == MERGE:
        profile = shards.merge(shards.read(job.source), watched)
    else:
        profile = profile_dataset(job.source, job.dataset_format, watched, job.preprocessor)
    excluded = job.names("exclude_features_attribute")
    profile.columns = [column for column in profile.columns if column.name not in excluded]
    published = []
    if job.environment.get("publish_cloudwatch_metrics") == "Enabled" and (
        limits is None or limits.config.emit_metrics == "Enabled"
    ):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        published = metrics.entries(profile, limits, baseline, job.environment, now)
    results = {
        "statistics.json": statistics.document(profile),
        "constraints.json": constraints.suggest(profile, job.environment.get("categorical_drift_method")),
    }
    if not job.monitoring:
        return results, 0, published
    found = checks.violations(profile, limits, baseline) if limits else []
    results["constraint_violations.json"] = {"violations": [violation.document() for violation in found]}
    if baseline:
        results["drift_report.json"] = drift_report.document(profile, baseline, job.sensitive)
    return results, len(found), published


def quality_attributes(environment: Mapping[str, str], dataset_format: DatasetFormat) -> model_quality.Attributes:
    """Return which columns hold what, from the environment; without a header a position `0` means `_c0`."""

    def column(key: str) -> str | None:
        name = environment.get(key) or None
        return f"_c{name}" if name and name.isdigit() and not dataset_format.header else name

    truth = column("ground_truth_attribute")
    if truth is None:
        raise AnalyzerError("model quality needs ground_truth_attribute.", hint="Name the column of the true labels.")
    text = environment.get("probability_threshold_attribute") or "0.5"
    try:
        threshold = float(text)
    except ValueError as error:
        raise AnalyzerError(f"probability_threshold_attribute {text!r} is no number.") from error
    return model_quality.Attributes(
        environment.get("problem_type", ""),
        truth,
        column("inference_attribute"),
        column("probability_attribute"),
        threshold,
    )


def quality(job: Job) -> tuple[dict[str, Any], int]:
    """Return the result documents of a model quality run and its number of violations."""
    attributes = quality_attributes(job.environment, job.dataset_format)
    records = read_records(job.source, job.dataset_format, attributes.columns, job.preprocessor)
    today = model_quality.statistics_document(records, attributes, str(job.source))
    results = {"statistics.json": today, "constraints.json": model_quality.suggest(today, attributes.problem_type)}
    if not job.monitoring:
        return results, 0
    found: list[dict[str, str]] = []
    if job.baseline_constraints:
        limits = documents.read(job.baseline_constraints, "the baseline's constraints.json")
        found = model_quality.violations(today, limits, attributes.problem_type, str(job.baseline_constraints))
    results["constraint_violations.json"] = {"violations": found}
    return results, len(found)


def run(opt_ml: Path) -> str:
    """Run the job below `opt_ml` and return its exit message.

    Raises:
        AnalyzerError: whatever keeps the job from its results.
    """
    job = load_job(opt_ml)
    model = job.environment.get("analysis_type", "DATA_QUALITY") == "MODEL_QUALITY"
    if model and job.stage != WHOLE:
        raise AnalyzerError(
            f"analysis_stage {job.stage} goes with data quality only.",
            hint="Ranking predictions needs all of them in one job: use one instance.",
        )
    if job.stage == SHARD:
        results, message = shard(job)
        documents.write_together(job.output, results)
        return message
    published: list[dict[str, Any]] = []
    if model:
        results, found = quality(job)
    else:
        results, found, published = data_quality(job)
    with metrics.staged(job.metrics_folder, published):
        documents.write_together(job.output, results)
    script = job.environment.get("post_analytics_processor_script")
    if script:
        hooks.run_postprocessor(Path(script), job.environment, discreet=bool(job.sensitive))
    if found:
        return f"CompletedWithViolations: Job completed successfully with {found} violations."
    return "Completed: Job completed successfully with no violations."


def main(opt_ml: Path | None = None) -> int:
    """Run as the container's entry point and return the exit code: 0, or 255 with the reason as the message."""
    root = opt_ml or Path(os.environ.get("SM_OPT_ML") or DEFAULT_OPT_ML)
    code = 0
    try:
        message = run(root)
    except AnalyzerError as error:
        message, code = str(error), FAILED
    except OSError as error:
        message, code = f"{error.filename or root}: {error.strerror or error}. Check the job's inputs.", FAILED
    except Exception as error:  # noqa: BLE001 - the contract: any failure becomes a message and exit code 255
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = (
            f"{type(error).__name__} in the analyzer ({Path(where.filename).name}:{where.lineno}). "
            "This is a defect: report it with the analyzer's version and the dataset's format."
        )
        code = FAILED
    print(message, file=sys.stderr if code else sys.stdout, flush=True)
    path = root / "output" / "message"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(message[:MESSAGE_LIMIT], encoding="utf-8")
    except OSError as error:
        print(f"{path}: the exit message cannot be written ({error.strerror}).", file=sys.stderr)
        return FAILED
    return code
