"""`make constraints`: suggested and overridden constraints of a use case; for `local`, of the house that is up."""

import argparse
import sys
from collections.abc import Sequence

from local import deploy
from local.airflow import ENVIRONMENT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the AWS side's comparison; its exit code is ours."""
    parser = argparse.ArgumentParser(prog="make constraints", description=__doc__)
    parser.add_argument("--use-case", required=True)
    parser.add_argument("--environment", default=ENVIRONMENT)
    given, others = parser.parse_known_args(arguments)
    if not given.use_case:
        print("error: which use case? Type make constraints USE_CASE=churn", file=sys.stderr)
        return 1
    return deploy.run("include.infrastructure.constraints", given.use_case, given.environment, others)


if __name__ == "__main__":
    sys.exit(main())
