"""What is wrong with a use-case file, in words: file, line, key, and what to do."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml

from sagemaker_batch.use_case.case import NAME_LIMIT, UseCase
from sagemaker_batch.use_case.people import Alerts
from sagemaker_batch.use_case.schedule import Schedule


@dataclass(frozen=True)
class Problem:
    """One mistake: line (1-based, or None for the whole file), dotted key, what is wrong, what to do."""

    line: int | None
    key: str
    what: str
    suggestion: str = ""


@dataclass(eq=False)
class UseCaseError(Exception):
    """A use-case file that cannot be used.

    `name`, `schedule`, `alerts` and whether there is a section `quality` are what could be read all the same, so that
    its DAGs keep ids and schedule.
    """

    path: Path
    name: str
    problems: list[Problem]
    schedule: Schedule = field(default_factory=Schedule)
    alerts: Alerts = field(default_factory=Alerts)
    has_quality: bool = False

    def __str__(self) -> str:
        lines = [f"The use case {self.name!r} cannot run: {self.path.name} is wrong."]
        for problem in self.problems:
            where = f"{self.path}:{problem.line}" if problem.line else str(self.path)
            key = f" {problem.key}:" if problem.key else ""
            hint = f" {problem.suggestion}" if problem.suggestion else ""
            lines.append(f"  {where}:{key} {problem.what}.{hint}")
        lines.append("Correct the file; the other use cases run on. Keys: docs/contracts/use_case.schema.json")
        return "\n".join(lines)


def syntax_problem(error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error)
    return Problem(
        mark.line + 1 if mark else None,
        "",
        f"this is no YAML: {said}",
        "Check indentation and quotes; a text with ': ' or a leading '{' needs quotes.",
    )


def line_of(node: yaml.Node | None, location: tuple[Any, ...]) -> int | None:
    line = node.start_mark.line + 1 if node else None
    for part in location:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found:
                line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            found, line = (node, node), node.start_mark.line + 1
        if found is None:
            break
    return line


def duplicates(node: yaml.Node, prefix: str) -> list[Problem]:
    # YAML lets a later key silently replace an earlier one.
    problems = []
    seen: set[str] = set()
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            dotted = f"{prefix}.{key.value}".lstrip(".")
            if key.value in seen:
                problems.append(Problem(key.start_mark.line + 1, dotted, "this key stands twice", "Keep one."))
            seen.add(str(key.value))
            problems += duplicates(value, dotted)
    return problems


def describe(error: Any, node: yaml.Node) -> Problem:
    location = tuple(part for part in error["loc"] if not (isinstance(part, str) and part in {"str", "int", "float"}))
    key = ".".join(str(part) for part in location)
    line = line_of(node, location)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem(line, key, "unknown key", _did_you_mean(str(location[-1]), _known_keys(location[:-1])))
    if kind == "missing":
        return Problem(line, key, "this key is missing", "Add it.")
    if key == "name":
        rule = f"lower-case letters, digits and single underscores, at most {NAME_LIMIT} characters"
        return Problem(None, "", f"a use case's file name is its name: {rule}", "Rename the file.")
    what = str(context["error"]) if kind == "value_error" else error["msg"][0].lower() + error["msg"][1:]
    hint = ""
    if location != error["loc"]:
        what = "expected a text or a number"
    if kind == "literal_error" and isinstance(error["input"], str):
        hint = _did_you_mean(error["input"], re.findall(r"'([^']*)'", context["expected"]), otherwise=False)
    if kind == "string_type":
        hint = f"Found {error['input']!r}; put it in quotes if it is meant as text."
    return Problem(line, key, what, hint)


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    model: Any = UseCase
    for part in location:
        if get_origin(model) is dict:
            # A mapping's next part is a name of the person's own, such as a column.
            model = get_args(model)[1]
            continue
        model = model.model_fields[part].annotation
        if get_origin(model) is not dict:
            # Of a section that may be absent, the section.
            model = next((item for item in get_args(model) if hasattr(item, "model_fields")), model)
    return [name for name in model.model_fields if model is not UseCase or name != "name"]


def _did_you_mean(word: str, known: list[str], *, otherwise: bool = True) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known here: {', '.join(known)}." if otherwise else ""
