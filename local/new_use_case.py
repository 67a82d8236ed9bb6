"""`make new-use-case NAME=...`: a commented use-case file with every key, and scripts that work as they are.

The file follows from the models of `sagemaker_batch.use_case`: a key that is added there appears here with its
description and default.
"""

import argparse
import contextlib
import json
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from local.environment import REPO
from sagemaker_batch.use_case import UseCase, load_use_case
from sagemaker_batch.use_case.case import NAME_LIMIT, NAME_PATTERN

SCRIPTS = ("prepare.py", "prepare_batch.py", "evaluate.py")
WIDTH = 116
# What only the person knows; everything else starts at its default.
TO_FILL = {
    "description": '"What the model is for, in a sentence."',
    "owners": "[my-team]",
    "data.record_id": "id",
    "data.label.name": "label",
    "data.label.positive": '"1"',
    "data.ready.files": '["*.csv"]',
    "model.problem": "binary_classification",
}
ABOUT = {
    "prepare.py": """PrepareData of {name}: raw training data becomes the model's input.

It runs as it stands: the shared script does the work by the use case's file. Change what is particular to {name} here.
Expected below --output: train/, validation/ and test/ (CSV, label first, no header), monitored/ (CSV with header: the
columns as they arrive, without id and label) and schema/feature_schema.json (docs/contracts).""",
    "prepare_batch.py": """PrepareBatch of {name}: a raw day becomes the monitored columns and the transform's input.

It runs as it stands: the shared script does the work by the model's own schema. What is changed in prepare.py has to be
changed here in the same way. Expected below --output: monitored/, transform/ (CSV, id first, no header; none when the
model cannot read the day) and report/batch.json (docs/contracts).""",
    "evaluate.py": """EvaluateModel of {name}: how good the trained model is on rows that it never saw.

It runs as it stands: the shared script does the work. Expected in --output: evaluation.json (docs/contracts; the
pipeline compares one of its metrics with the threshold) and predictions.csv (the model-quality baseline's data).""",
}
SCRIPT = '''"""{about}
"""

import sys
from pathlib import Path

# The shared scripts lie two folders above, in the job as in the repository.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from {module} import main  # noqa: E402 - found by the line above

if __name__ == "__main__":
    sys.exit(main())
'''


class NewUseCaseError(Exception):
    """The use case cannot be made; the message says why."""


def use_case_file(problem: str) -> str:
    """Return the text of a use-case file: keys to fill in, every other one as a comment with its default."""
    to_fill = {**TO_FILL, "model.problem": problem}
    if problem == "regression":
        del to_fill["data.label.positive"]
    head = (
        "# yaml-language-server: $schema=../../docs/contracts/use_case.schema.json\n"
        "# Keys behind a # stand at their defaults. The file's name is the use case's name. It is read without a\n"
        "# redeploy of code; data, model and monitor.engine go into the pipelines (`make pipelines`, `make deploy`).\n"
    )
    return head + "".join(f"{line}\n" for line in _section(UseCase, "", to_fill))


def _section(model: type[BaseModel], path: str, to_fill: dict[str, str], mark: str = "# ") -> Iterator[str]:
    """Yield the lines of a section; `mark` stands before a key at its default: nothing where the section has it."""
    for key, info in model.model_fields.items():
        name = f"{path}{key}"
        if name == "name":
            continue
        indent = "  " * path.count(".")
        inner = model_of(info)
        if inner is not None:
            yield from [""] if not path else []
            if not mark or any(filled.startswith(f"{name}.") for filled in to_fill):
                yield f"{indent}{key}:"
                yield from _section(inner, f"{name}.", to_fill, mark)
            else:
                yield f"{indent}# {key}:"
                for line in _section(inner, f"{name}.", to_fill, ""):
                    yield f"{indent}# {line.removeprefix(indent)}"
            continue
        yield from _comment(indent, info.description or "")
        if name in to_fill:
            yield f"{indent}{key}: {to_fill[name]}"
        else:
            yield f"{indent}{mark}{key}: {default_of(info)}"


def _comment(indent: str, text: str) -> Iterator[str]:
    line = ""
    for word in text.split():
        if len(indent) + len(line) + len(word) + 3 > WIDTH:
            yield f"{indent}# {line}"
            line = ""
        line = f"{line} {word}".strip()
    if line:
        yield f"{indent}# {line}"


def model_of(info: FieldInfo) -> type[BaseModel] | None:
    """Return the section that a key holds, or None when it holds a value or sections by name."""
    if section_by_name(info) is not None:
        return None
    options = [info.annotation, *getattr(info.annotation, "__args__", ())]
    return next((item for item in options if isinstance(item, type) and issubclass(item, BaseModel)), None)


def section_by_name(info: FieldInfo) -> type[BaseModel] | None:
    """Return the section that stands under each name of a mapping, such as a column's; None for any other key."""
    inner = getattr(info.annotation, "__args__", ())[-1:] if get_origin(info.annotation) is dict else ()
    return next((item for item in inner if isinstance(item, type) and issubclass(item, BaseModel)), None)


def default_of(info: FieldInfo) -> str:
    """Return the default of a key as YAML has it."""
    value: Any = info.get_default(call_default_factory=True) if not info.is_required() else "..."
    return value.isoformat() if isinstance(value, date) else json.dumps(value)


def create(name: str, problem: str, root: Path = REPO) -> list[Path]:
    """Write the files of a use case and return them.

    Raises:
        NewUseCaseError: the name is none, something of that name is there already, or the files cannot be written.
    """
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > NAME_LIMIT:
        raise NewUseCaseError(
            f"{name!r} is no name of a use case: lower-case words with underscores, at most {NAME_LIMIT} characters, "
            "such as energy_use."
        )
    file = root / "dags" / "use_cases" / f"{name}.yaml"
    folder = root / "include" / "pipeline_scripts" / "use_cases" / name
    there = [str(path.relative_to(root)) for path in (file, folder) if path.exists()]
    if there:
        raise NewUseCaseError(f"{' and '.join(there)} is there already; nothing was written.")
    written = {file: use_case_file(problem)}
    for script in SCRIPTS:
        about = ABOUT[script].format(name=name)
        written[folder / script] = SCRIPT.format(about=about, module=script.removesuffix(".py"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True)
        for path, text in written.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        # A half would stand in the way of the next try.
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            file.unlink()
        raise NewUseCaseError(
            f"{error.filename} cannot be written: {error.strerror}. Nothing was left behind; check owner and rights."
        ) from error
    load_use_case(file)
    return list(written)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make new-use-case", description=__doc__)
    parser.add_argument("name", help="such as energy_use")
    parser.add_argument("--problem", choices=("binary_classification", "regression"), default="binary_classification")
    given = parser.parse_args(arguments)
    try:
        for path in create(given.name, given.problem):
            print(path.relative_to(REPO))
    except NewUseCaseError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"\nNext:\n  1. fill in dags/use_cases/{given.name}.yaml (columns, label, when a day is complete)\n"
        "  2. make pipelines ENV=<environment>, and commit include/pipelines/compiled\n"
        "  3. make deploy ACTION=plan ENV=<environment>, then ACTION=apply\n"
        f"  4. put training data below s3://<bucket>/{given.name}/training/input/\n"
        f"  5. unpause {given.name}_train_baseline and {given.name}_batch_monitor\n"
        "Delete the scripts that you do not change: the shared ones are used then."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
