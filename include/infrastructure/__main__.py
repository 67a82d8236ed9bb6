"""Deploy an environment: `python -m include.infrastructure apply|plan|status --environment local`."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from include.infrastructure.compiled import StaleError, read_compiled
from include.infrastructure.deployment import Deployment, DeploymentError
from include.infrastructure.environment import EnvironmentFileError, load_environment
from sagemaker_batch.use_case import UseCaseError, load_use_case

USE_CASES = Path(__file__).parents[2] / "dags" / "use_cases"
WORDS = {
    "apply": {"created": "created", "updated": "updated", "unchanged": "unchanged"},
    "plan": {"created": "would create", "updated": "would update", "unchanged": "unchanged"},
    "status": {"created": "missing", "updated": "differs", "unchanged": "ready"},
}
VERBS = {
    "apply": "make and update everything of the environment",
    "plan": "say what apply would do, and change nothing",
    "status": "say what is there; exit code 1 when something is missing or differs",
}


def deploy(verb: str, environment_name: str, use_cases: Path) -> int:
    """Do what the verb says and print one line for each resource; returns the exit code."""
    environment = load_environment(environment_name)
    compiled = [read_compiled(load_use_case(path), environment) for path in sorted(use_cases.glob("*.yaml"))]
    counts: Counter[str] = Counter()
    with Deployment(environment, compiled, act=verb == "apply") as deployment:
        for change in deployment.changes():
            counts[change.outcome] += 1
            print(f"{WORDS[verb][change.outcome]:<12}  {change.kind:<19}  {change.name}", flush=True)
    said = ", ".join(f"{count} {WORDS[verb][outcome]}" for outcome, count in counts.items())
    print(f"{environment.name}: {said}.")
    return int(verb == "status" and any(counts[outcome] for outcome in ("created", "updated")))


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.infrastructure", description="Deploy an environment.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, what in {**VERBS, "destroy": "not built yet"}.items():
        part = verbs.add_parser(verb, help=what, description=what)
        part.add_argument(
            "--environment", default="local", help="name of a file in include/infrastructure/environments"
        )
        part.add_argument("--use-cases", type=Path, default=USE_CASES, help="folder of the use-case files")
    given = parser.parse_args(arguments)
    if given.verb == "destroy":
        print("destroy is not built yet: remove the resources that `status` lists by hand.", file=sys.stderr)
        return 2
    try:
        return deploy(given.verb, given.environment, given.use_cases)
    except (EnvironmentFileError, UseCaseError, StaleError, DeploymentError) as error:
        print(error, file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(
            f"AWS refused or could not be reached: {error}\n"
            "Check AWS_ENDPOINT_URL (the laptop: is it up?), credentials and permissions, then repeat: "
            "what was made is kept and found again.",
            file=sys.stderr,
        )
    return 1


if __name__ == "__main__":
    sys.exit(main())
