"""Compile the pipelines of an environment: `python -m include.pipelines compile --environment local`."""

import argparse
import json
import sys
from pathlib import Path

from include.infrastructure.environment import FOLDER, Environment, EnvironmentFileError, load_environment
from include.pipelines import purity
from include.pipelines.settings import COMPILED, INDEX, canonical, file_names, inputs_digest, settings_of
from sagemaker_batch.use_case import UseCase, UseCaseError, load_use_case

USE_CASES = Path(__file__).parents[2] / "dags" / "use_cases"


def compile_all(environment: Environment, use_cases: list[UseCase]) -> dict[str, str]:
    """Return the text of every compiled file by its name, the index included."""
    purity.enforce(environment.region)
    texts: dict[str, str] = {}
    index: dict[str, dict[str, str]] = {}
    for use_case in use_cases:
        settings = settings_of(use_case, environment)
        # Imported here because the SDK reads its settings at import.
        from include.pipelines.batch_monitor import batch_monitor
        from include.pipelines.model_quality import model_quality
        from include.pipelines.protection import protect
        from include.pipelines.train_baseline import train_baseline

        definitions = [protect(made(settings), environment) for made in (train_baseline, batch_monitor, model_quality)]
        texts |= {
            name: canonical(definition) for name, definition in zip(file_names(use_case.name), definitions, strict=True)
        }
        index[use_case.name] = {"inputs": inputs_digest(settings), "code": settings.code_digest}
    texts[INDEX] = canonical(index)
    return texts


def write(folder: Path, texts: dict[str, str]) -> list[str]:
    """Write what differs, remove what no use case has any more, and say what was done."""
    folder.mkdir(parents=True, exist_ok=True)
    said = []
    for old in sorted(folder.glob("*.json")):
        if old.name not in texts:
            old.unlink()
            said.append(f"removed    {old.name}")
    for name, text in texts.items():
        path = folder / name
        same = path.exists() and path.read_text(encoding="utf-8") == text
        if not same:
            path.write_text(text, encoding="utf-8")
        steps = len(json.loads(text).get("Steps", []))
        said.append(f"{'unchanged' if same else 'written  '}  {name}" + (f" ({steps} steps)" if steps else ""))
    return said


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.pipelines", description="Compile the pipelines.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("compile", help="write the definitions of every use case as canonical JSON")
    verb.add_argument("--environment", default="local", help="name of a file in include/infrastructure/environments")
    verb.add_argument("--environments", type=Path, default=FOLDER, help="folder of the environments' files")
    verb.add_argument("--use-cases", type=Path, default=USE_CASES, help="folder of the use-case files")
    verb.add_argument("--out", type=Path, default=None, help="folder to write to (default: compiled/<environment>)")
    given = parser.parse_args(arguments)
    try:
        environment = load_environment(given.environment, given.environments)
        use_cases = [load_use_case(path) for path in sorted(given.use_cases.glob("*.yaml"))]
        texts = compile_all(environment, use_cases)
    except (EnvironmentFileError, UseCaseError, purity.ImpureError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for line in write(given.out or COMPILED / environment.name, texts):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
