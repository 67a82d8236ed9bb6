"""Reading a use-case file: all mistakes in one error, and what could be read of a broken one."""

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from sagemaker_batch.use_case.case import UseCase
from sagemaker_batch.use_case.people import Alerts
from sagemaker_batch.use_case.problems import Problem, UseCaseError, describe, duplicates, line_of, syntax_problem
from sagemaker_batch.use_case.schedule import Schedule
from sagemaker_batch.use_case.section import Section


def load_use_case(path: str | Path) -> UseCase:
    """Read and check one use-case file.

    Raises:
        UseCaseError: the file is missing, no YAML, or says something it may not; all mistakes in one text.
    """
    path = Path(path)
    name = path.stem
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UseCaseError(path, name, [Problem(None, "", f"it cannot be read ({error})")]) from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        content = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError) as error:
        raise UseCaseError(path, name, [syntax_problem(error)], *_salvage(_blocks(text))) from error
    finally:
        loader.dispose()
    if node is None or not isinstance(content, dict):
        what = "it is empty" if content is None else "expected sections such as data: and schedule:"
        raise UseCaseError(path, name, [Problem(1, "", what)])
    problems = duplicates(node, "")
    if "name" in content:
        problems.append(
            Problem(line_of(node, ("name",)), "name", "the use case is called as its file", "Remove the key.")
        )
    try:
        use_case = UseCase.model_validate({**content, "name": name})
    except ValidationError as error:
        # One problem a key: each branch of a union reports on its own.
        found: dict[str, Problem] = {}
        for item in error.errors(include_url=False):
            problem = describe(item, node)
            found.setdefault(problem.key, problem)
        problems += found.values()
        raise UseCaseError(path, name, problems, *_salvage(content)) from None
    if problems:
        raise UseCaseError(path, name, problems, *_salvage(content))
    return use_case


Kind = TypeVar("Kind", bound=Section)


def _section(content: dict[Any, Any], key: str, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate(content.get(key) or {})
    except ValidationError:
        return kind()


def _salvage(content: dict[Any, Any]) -> tuple[Schedule, Alerts, bool]:
    quality = content.get("quality") is not None
    return _section(content, "schedule", Schedule), _section(content, "alerts", Alerts), quality


def _blocks(text: str) -> dict[str, Any]:
    # Of a file that is no YAML as a whole, the top-level sections that are.
    content: dict[str, Any] = {}
    for block in re.findall(r"^(?:schedule|alerts|quality):.*(?:\n(?:[ \t#].*)?)*", text, re.MULTILINE):
        try:
            section = yaml.safe_load(block)
        except (yaml.YAMLError, ValueError):
            continue
        if isinstance(section, dict):
            content.update(section)
    return content
