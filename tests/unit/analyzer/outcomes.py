# ruff: noqa: PT017 - an error is one of two rightful outcomes here
"""What may come of any bytes: results that hold to their contract, or one sentence. Anything else fails."""

import json
from pathlib import Path

import jsonschema
from monitor_analyzer import checks, constraints, documents, drift_report, statistics
from monitor_analyzer.dataset import DatasetFormat, profile_dataset
from monitor_analyzer.errors import AnalyzerError
from monitor_analyzer.profile import Profile

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs" / "contracts" / "statistics.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def one_sentence(error: AnalyzerError) -> None:
    """Hold an error to a single line."""
    assert "\n" not in str(error).replace("\\n", ""), str(error)


def of_dataset(path: Path, dataset_format: DatasetFormat) -> Profile | None:
    """Return the profile, or None where the file was refused in one sentence that names it."""
    try:
        profile = profile_dataset(path, dataset_format)
    except AnalyzerError as error:
        assert str(path) in str(error) or "column" in str(error), str(error)
        one_sentence(error)
        return None
    document = statistics.document(profile)
    documents.dumps(document)
    VALIDATOR.validate(document)
    baseline = statistics.parse(json.loads(json.dumps(document)), "statistics.json")
    limits = constraints.parse(constraints.suggest(profile), "constraints.json")
    assert checks.violations(profile, limits, baseline) == []
    documents.dumps(drift_report.document(profile, baseline, frozenset()))
    return profile


def of_baseline(profile: Profile, facts: Path, limits: Path) -> None:
    """Check a profile against a baseline in two files, or see them refused in one sentence."""
    try:
        read_limits = constraints.parse(documents.read(limits, "constraints.json"), str(limits))
        read_facts = statistics.parse(documents.read(facts, "statistics.json"), str(facts))
        checks.violations(profile, read_limits, read_facts)
        documents.dumps(drift_report.document(profile, read_facts, frozenset()))
    except AnalyzerError as error:
        one_sentence(error)
