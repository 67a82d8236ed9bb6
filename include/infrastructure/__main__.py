"""Deploy an environment: `python -m include.infrastructure plan|apply|status|destroy|policies --environment local`."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from include.infrastructure import command
from include.infrastructure.compiled import Compiled, StaleError, read_compiled
from include.infrastructure.deployment import Deployment
from include.infrastructure.environment import Environment
from include.infrastructure.machines import PricesError
from include.infrastructure.policies import all_policies
from include.infrastructure.removal import removals
from include.infrastructure.site import Site
from include.infrastructure.wheelhouse import WheelhouseError
from include.pipelines.settings import COMPILED
from sagemaker_batch.use_case import UseCase

WORDS = {
    "apply": {"created": "created", "updated": "updated", "unchanged": "unchanged"},
    "plan": {"created": "would create", "updated": "would update", "unchanged": "unchanged"},
    "status": {"created": "missing", "updated": "differs", "unchanged": "ready"},
}
VERBS = {
    "apply": "make and update everything of the environment",
    "plan": "say what apply would do, definitions by step and policies by statement, and change nothing",
    "status": "say what is there; exit code 1 when something is missing or differs",
    "destroy": "show everything that deployment and its pipelines made, ask, and remove it",
    "policies": "write the policies as JSON, for teams whose roles others make",
}


def deploy(verb: str, environment: Environment, compiled: list[Compiled]) -> int:
    """Do what the verb says and print one line for each resource, and how it differs; returns the exit code."""
    counts: Counter[str] = Counter()
    with Deployment(environment, compiled, act=verb == "apply") as deployment:
        for change in deployment.changes():
            counts[change.outcome] += 1
            print(f"{WORDS[verb][change.outcome]:<12}  {change.kind:<19}  {change.name}", flush=True)
            for line in change.details:
                print(f"{'':<14}{line}", flush=True)
    said = ", ".join(f"{count} {WORDS[verb][outcome]}" for outcome, count in counts.items())
    print(f"{environment.name}: {said}.")
    return int(verb == "status" and any(counts[outcome] for outcome in ("created", "updated")))


def destroy(environment: Environment, use_cases: list[UseCase], *, sure: bool, data: bool) -> int:
    """Show what would go, ask unless told not to, and remove it; returns the exit code."""
    with Site(environment, use_cases, act=True) as site:
        site.check_account()
        found = list(removals(site, data=data))
        for item in found:
            print(f"{'':<2}{item.kind:<20}  {item.name}")
        if not found:
            print(f"{environment.name}: nothing of it is there.")
            return 0
        kept = "" if data else f" The bucket {environment.bucket} and the data in it stay (--data removes them too)."
        print(f"{environment.name}: {len(found)} to remove in account {environment.account}.{kept}")
        if not sure and not _agreed(environment.name):
            print("Nothing was removed.")
            return 1
        for item in found:
            item.remove()
            print(f"removed  {item.kind:<20}  {item.name}", flush=True)
    return 0


def _agreed(name: str) -> bool:
    if not sys.stdin.isatty():
        print("Nobody is there to ask; --yes removes without asking.", file=sys.stderr)
        return False
    return command.asked(f"Type the environment's name ({name}) to remove all of this: ") == name


def write_policies(environment: Environment, use_cases: list[UseCase], out: Path) -> int:
    """Write every policy of the environment to a folder; returns the exit code."""
    out.mkdir(parents=True, exist_ok=True)
    for name, document in all_policies(environment, use_cases).items():
        path = out / f"{name}.json"
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        print(path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.infrastructure", description="Deploy an environment.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, what in VERBS.items():
        part = verbs.add_parser(verb, help=what, description=what)
        command.add_environment(part)
        command.add_use_cases(part)
        part.add_argument("--compiled", type=Path, default=COMPILED, help="folder of the compiled pipelines")
        if verb == "destroy":
            part.add_argument("--yes", action="store_true", help="remove without asking, for CI")
            part.add_argument("--data", action="store_true", help="also everything in the bucket, and the bucket")
        if verb == "policies":
            part.add_argument("--out", type=Path, help="folder (default: dist/policies/<environment>)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    given = _parser().parse_args(arguments)

    def work() -> int:
        environment, cases = command.environment(given), command.use_cases(given)
        if given.verb == "policies":
            out = given.out or command.ROOT / "dist" / "policies" / environment.name
            return write_policies(environment, cases, out)
        if given.verb == "destroy":
            return destroy(environment, cases, sure=given.yes, data=given.data)
        return deploy(given.verb, environment, [read_compiled(case, environment, given.compiled) for case in cases])

    return command.run(work, StaleError, WheelhouseError, PricesError)


if __name__ == "__main__":
    sys.exit(main())
