"""The command line: as the container, and for a person with a data file at hand."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from . import __version__, checks, constraints, container, documents, drift_report, shards, statistics, terminal
from .dataset import DatasetFormat, files_of, profile_dataset
from .errors import AnalyzerError
from .profile import Profile

KINDS = {".csv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
VIOLATIONS_FOUND = 3
EXAMPLES = """examples:
  python -m monitor_analyzer profile customers.csv
  python -m monitor_analyzer profile train.csv --output baseline
  python -m monitor_analyzer compare baseline today.csv --output report

Without a command it runs as the container, from /opt/ml or $SM_OPT_ML."""


def parser() -> argparse.ArgumentParser:
    """Return the parser; `--help` is its documentation."""
    top = argparse.ArgumentParser(
        prog="monitor_analyzer",
        description="Data quality as SageMaker Model Monitor sees it: statistics, constraints, violations, drift.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    profile = commands.add_parser("profile", help="describe a file; with --output also write statistics, constraints")
    compare = commands.add_parser(
        "compare",
        help="check a file against a baseline",
        description=f"Exit code 0: no violations; {VIOLATIONS_FOUND}: violations; 1: it could not be checked.",
    )
    compare.add_argument(
        "baseline", type=Path, help="a folder with statistics.json and constraints.json, or a data file"
    )
    shard = commands.add_parser("shard", help="describe one part of a dataset, to be merged with its other parts")
    shard.add_argument("file", type=Path, help="CSV, JSON lines or Parquet: one file, or a folder of them")
    shard.add_argument("--name", required=True, help="this part's name, one of --parts")
    shard.add_argument("--parts", required=True, help="the names of all parts, with commas")
    shard.add_argument(
        "--baseline", type=Path, help="a folder with constraints.json, if the merge will check against it"
    )
    merge = commands.add_parser("merge", help="describe a whole from its parts; with --baseline also check it")
    merge.add_argument("file", metavar="folder", type=Path, help=f"the folder with {shards.PREFIX}*.json")
    merge.add_argument("--baseline", type=Path, help="a folder with statistics.json and constraints.json")
    for command in (profile, compare):
        command.add_argument("file", type=Path, help="CSV, JSON lines or Parquet: one file, or a folder of them")
    for command in (profile, compare, shard):
        command.add_argument("--format", choices=["csv", "json", "parquet"], help="default: by the name's ending")
        command.add_argument("--no-header", action="store_true", help="the CSV has no header; columns become _c0, _c1")
    for command in (profile, compare, merge):
        command.add_argument(
            "--sensitive", metavar="NAMES", default="", help="columns, with commas, whose values must not show"
        )
        command.add_argument("--json", action="store_true", help="print JSON instead of a summary")
    for command in (profile, compare, shard, merge):
        command.add_argument(
            "--output",
            metavar="FOLDER",
            type=Path,
            required=command is shard,
            help="folder to write the JSON files to (they hold values)",
        )

    job = commands.add_parser("container", help="run as the container, by config/processingjobconfig.json")
    job.add_argument("--opt-ml", type=Path, help="the /opt/ml folder (default: $SM_OPT_ML or /opt/ml)")
    return top


def _read(path: Path, options: argparse.Namespace, limits: constraints.Constraints | None = None) -> Profile:
    if not path.exists():
        raise AnalyzerError("there is no such file or folder.", file=str(path))
    files = files_of(path)
    kind = options.format or KINDS.get(files[0].suffix.lower(), "csv")
    progress = terminal.Progress(files)
    try:
        profile = profile_dataset(
            path,
            DatasetFormat(kind, not options.no_header),
            limits.watched if limits else None,
            on_progress=progress.at if progress.enabled else None,
        )
    finally:
        progress.close()
    if kind == "csv":
        print(*terminal.delimiter_hints(profile), file=sys.stderr, sep="\n", end="")
    return profile


def _sensitive(options: argparse.Namespace, known: Iterable[str]) -> frozenset[str]:
    """Return the columns to withhold; a name that is none would let through what it was meant to withhold."""
    asked = frozenset(name.strip() for name in options.sensitive.split(",") if name.strip())
    if unknown := sorted(asked.difference(known)):
        raise AnalyzerError(f"--sensitive: there is no column {unknown[0]!r}. Is its name spelled as in the header?")
    return asked


def _write(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Write the files together where they are asked for, and say so."""
    if options.output:
        documents.write_together(options.output, results)
        print(f"{', '.join(results)}: written to {options.output}", file=sys.stderr)


def _profile(options: argparse.Namespace) -> int:
    return _described(_read(options.file, options), options)


def _described(profile: Profile, options: argparse.Namespace) -> int:
    sensitive = _sensitive(options, (column.name for column in profile.columns))
    results = {"statistics.json": statistics.document(profile), "constraints.json": constraints.suggest(profile)}
    _write(options, results)
    if options.json:
        print(documents.dumps(results["statistics.json"]), end="")
    else:
        print("\n".join(terminal.profile_lines(profile, sensitive)))
    return 0


def _folder(path: Path) -> tuple[constraints.Constraints, statistics.BaselineStatistics]:
    facts, limits = path / "statistics.json", path / "constraints.json"
    return (
        constraints.parse(documents.read(limits, "constraints.json"), str(limits)),
        statistics.parse(documents.read(facts, "statistics.json"), str(facts)),
    )


def _baseline(options: argparse.Namespace) -> tuple[constraints.Constraints, statistics.BaselineStatistics]:
    path: Path = options.baseline
    if path.is_dir() and (path / "statistics.json").exists():
        return _folder(path)
    profile = _read(path, options)
    return (
        constraints.parse(constraints.suggest(profile), str(path)),
        statistics.parse(statistics.document(profile), str(path)),
    )


def _compare(options: argparse.Namespace) -> int:
    limits, baseline = _baseline(options)
    return _checked(_read(options.file, options, limits), limits, baseline, options)


def _shard(options: argparse.Namespace) -> int:
    parts = [name.strip() for name in options.parts.split(",") if name.strip()]
    if options.name not in parts:
        raise AnalyzerError(f"--name {options.name!r} is not one of --parts {', '.join(parts)}.")
    limits = None
    if options.baseline:
        path = options.baseline / "constraints.json"
        limits = constraints.parse(documents.read(path, "constraints.json"), str(path))
    profile = _read(options.file, options, limits)
    content = shards.document(shards.Shard(options.name, parts, profile, limits.watched if limits else {}))
    documents.write_together(options.output, {f"{shards.PREFIX}{options.name}.json": content})
    sized = f"{terminal.counted(profile.item_count, 'row')}, {terminal.counted(len(profile.columns), 'column')}"
    print(f"{options.name} of {len(parts)}: {sized}")
    return 0


def _merge(options: argparse.Namespace) -> int:
    found = shards.read(options.file)
    if not options.baseline:
        return _described(shards.merge(found), options)
    limits, baseline = _folder(options.baseline)
    return _checked(shards.merge(found, limits.watched), limits, baseline, options)


def _checked(
    profile: Profile,
    limits: constraints.Constraints,
    baseline: statistics.BaselineStatistics,
    options: argparse.Namespace,
) -> int:
    sensitive = _sensitive(options, {*(column.name for column in profile.columns), *baseline.features})
    found = checks.violations(profile, limits, baseline)
    results = {
        "statistics.json": statistics.document(profile),
        "constraints.json": constraints.suggest(profile),
        "constraint_violations.json": {"violations": [violation.document() for violation in found]},
        "drift_report.json": drift_report.document(profile, baseline, sensitive),
    }
    _write(options, results)
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
        return {"profile": _profile, "compare": _compare, "shard": _shard, "merge": _merge}[options.command](options)
    except AnalyzerError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"{error.filename or 'A file'}: {error.strerror or error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130
