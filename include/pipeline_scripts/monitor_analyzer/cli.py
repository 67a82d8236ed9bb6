"""The command line: as the container, and for a person with a data file at hand."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__, checks, constraints, container, documents, drift_report, statistics, terminal
from .dataset import DatasetFormat, files_of, profile_dataset
from .errors import AnalyzerError
from .profile import Profile

KINDS = {".csv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
VIOLATIONS_FOUND = 3


def parser() -> argparse.ArgumentParser:
    """Return the parser; `--help` is its documentation."""
    top = argparse.ArgumentParser(
        prog="monitor_analyzer",
        description="Data quality as SageMaker Model Monitor sees it: statistics, constraints, violations, drift.",
        epilog="Without a command it runs as the container, from /opt/ml or $SM_OPT_ML.",
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    job = commands.add_parser("container", help="run as the container, from <opt-ml>/config/processingjobconfig.json")
    job.add_argument("--opt-ml", type=Path, help="the /opt/ml folder (default: $SM_OPT_ML or /opt/ml)")

    profile = commands.add_parser("profile", help="describe a file; with --output also write statistics, constraints")
    compare = commands.add_parser(
        "compare",
        help="check a file against a baseline",
        description=f"Exit code 0: no violations; {VIOLATIONS_FOUND}: violations; 1: it could not be checked.",
    )
    compare.add_argument(
        "baseline", type=Path, help="a folder with statistics.json and constraints.json, or a data file"
    )
    compare.add_argument("--sensitive", default="", help="columns, with commas, whose values must not show")
    for command in (profile, compare):
        command.add_argument("file", type=Path, help="CSV, JSON lines or Parquet: one file, or a folder of them")
        command.add_argument("--format", choices=["csv", "json", "parquet"], help="default: by the name's ending")
        command.add_argument("--no-header", action="store_true", help="the CSV has no header; columns become _c0, _c1")
        command.add_argument("--output", type=Path, help="folder to write the JSON files to")
        command.add_argument("--json", action="store_true", help="print JSON instead of a summary")
    return top


def _read(path: Path, options: argparse.Namespace, limits: constraints.Constraints | None = None) -> Profile:
    files = files_of(path)
    kind = options.format or KINDS.get(files[0].suffix.lower(), "csv")
    watched = {name: limit.domains or [] for name, limit in limits.features.items()} if limits else None
    progress = terminal.Progress(files)
    try:
        return profile_dataset(
            path,
            DatasetFormat(kind, not options.no_header),
            watched,
            on_progress=progress.at if progress.enabled else None,
        )
    finally:
        progress.close()


def _profile(options: argparse.Namespace) -> int:
    profile = _read(options.file, options)
    results = {"statistics.json": statistics.document(profile), "constraints.json": constraints.suggest(profile)}
    if options.output:
        documents.write_together(options.output, results)
    if options.json:
        print(documents.dumps(results["statistics.json"]), end="")
    else:
        print("\n".join(terminal.profile_lines(profile)))
    return 0


def _baseline(options: argparse.Namespace) -> tuple[constraints.Constraints, statistics.BaselineStatistics]:
    path: Path = options.baseline
    if path.is_dir() and (path / "statistics.json").exists():
        facts, limits = path / "statistics.json", path / "constraints.json"
        return (
            constraints.parse(documents.read(limits, "constraints.json"), str(limits)),
            statistics.parse(documents.read(facts, "statistics.json"), str(facts)),
        )
    profile = _read(path, options)
    return (
        constraints.parse(constraints.suggest(profile), str(path)),
        statistics.parse(statistics.document(profile), str(path)),
    )


def _compare(options: argparse.Namespace) -> int:
    limits, baseline = _baseline(options)
    profile = _read(options.file, options, limits)
    found = checks.violations(profile, limits, baseline)
    sensitive = frozenset(name.strip() for name in options.sensitive.split(",") if name.strip())
    results = {
        "statistics.json": statistics.document(profile),
        "constraints.json": constraints.suggest(profile),
        "constraint_violations.json": {"violations": [violation.document() for violation in found]},
        "drift_report.json": drift_report.document(profile, baseline, sensitive),
    }
    if options.output:
        documents.write_together(options.output, results)
    if options.json:
        shown = {
            name.removesuffix(".json"): results[name] for name in ("constraint_violations.json", "drift_report.json")
        }
        print(json.dumps(shown, ensure_ascii=False, indent=1))
    else:
        print("\n".join([*terminal.violation_lines(found), "", *terminal.drift_lines(results["drift_report.json"])]))
    return VIOLATIONS_FOUND if found else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error is one sentence on standard error."""
    options = parser().parse_args(arguments)
    if options.command in {None, "container"}:
        return container.main(getattr(options, "opt_ml", None))
    try:
        return _profile(options) if options.command == "profile" else _compare(options)
    except AnalyzerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130
