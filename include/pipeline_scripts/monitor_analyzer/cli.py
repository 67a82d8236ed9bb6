"""The command line: as the container, and for a person with a CSV file at hand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__, container
from .errors import AnalyzerError

USAGE_ERROR = 2


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
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 1 with one sentence on standard error."""
    options = parser().parse_args(arguments)
    try:
        if options.command in (None, "container"):
            return container.main(getattr(options, "opt_ml", None))
    except AnalyzerError as error:
        print(error, file=sys.stderr)
        return 1
    return USAGE_ERROR
