"""The expressions of a pipeline definition: what they look like, what they refer to, what they come to.

``{"Get": "Parameters.N" | "Execution.V" | "Steps.S.<path>"}``, ``{"Std:Join": {"On", "Values"}}`` and
``{"Std:JsonGet": {"PropertyFile" | "S3Uri", "Path"}}`` may stand wherever a value may stand. All functions are pure;
what an expression needs of the world it asks a `Scope` for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

EXECUTION_VARIABLES = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "TrainingJobName",
    "ProcessingJobName",
)
_FUNCTIONS = ("Get", "Std:Join", "Std:JsonGet")
_GET = re.compile(r"(Parameters|Execution|Steps)\.([A-Za-z0-9_-]+)(.*)", re.DOTALL)
_PART = re.compile(r"""\.?([^.\[\]]+)|\[(-?\d+)\]|\['([^']*)'\]|\["([^"]*)"\]""")
# How lists of AWS's responses are looked up by name: the member that names an element.
_NAME_MEMBERS = ("OutputName", "InputName", "ChannelName", "MetricName", "Name", "Key")


class ExpressionError(Exception):
    """An expression is malformed, or what it refers to is not there."""


@dataclass(frozen=True)
class Reference:
    """One ``Get``: `root` is Parameters, Execution or Steps; `path` is what follows the name, as it stands."""

    root: str
    name: str
    path: str

    def __str__(self) -> str:
        """Return the reference as it is written."""
        return f"{self.root}.{self.name}{self.path}"


class Scope(Protocol):
    """What expressions refer to while an execution runs."""

    def parameter(self, name: str) -> Any:
        """Return the typed value of a parameter."""

    def execution(self, name: str) -> str:
        """Return an execution variable."""

    def properties(self, step: str) -> Any:
        """Return what a finished step lets others refer to."""

    def property_file(self, step: str, name: str) -> Any:
        """Return the parsed content of a step's property file."""

    def json_at(self, uri: str) -> Any:
        """Return the parsed content of a JSON object in S3."""


def function_of(value: Any) -> str | None:
    """Return the name of the function when a value is an expression, None when it is data."""
    if isinstance(value, dict) and len(value) == 1:
        (key,) = value
        if key in _FUNCTIONS or key.startswith("Std:"):
            return str(key)
    return None


def parse_get(text: Any) -> Reference:
    """Return the parts of what a ``Get`` names.

    Raises:
        ExpressionError: it names nothing that exists in the language.
    """
    match = _GET.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ExpressionError(
            f"{text!r} is no reference; write Parameters.<name>, Execution.<variable> or Steps.<step>.<path>."
        )
    return Reference(match[1], match[2], match[3])


def parse_path(path: str) -> list[str | int]:
    """Return the parts of ``.a['b'][0]``: text for keys and names, integers for places in a list.

    Raises:
        ExpressionError: the path follows another grammar.
    """
    parts: list[str | int] = []
    position = 0
    path = path.removeprefix("$")
    while position < len(path):
        match = _PART.match(path, position)
        if match is None:
            raise ExpressionError(f"The path {path!r} cannot be read from {path[position:]!r} on.")
        dotted, index, single, double = match.groups()
        if index is not None:
            parts.append(int(index))
        else:
            parts.append(next(part for part in (dotted, single, double) if part is not None))
        position = match.end()
    return parts


def look_up(document: Any, path: str, where: str) -> Any:
    """Return what a path leads to; a name looks an element of a list up by its naming member.

    Raises:
        ExpressionError: the path leads nowhere; the message lists what is there instead.
    """
    value = document
    for part in parse_path(path):
        value = _descend(value, part, f"{where}{path}")
    return value


def _descend(value: Any, part: str | int, where: str) -> Any:
    if isinstance(part, int) and isinstance(value, list):
        if -len(value) <= part < len(value):
            return value[part]
        raise ExpressionError(f"{where}: there is no element [{part}], the list has {len(value)}.")
    if isinstance(value, dict):
        if str(part) in value:
            return value[str(part)]
        raise ExpressionError(f"{where}: there is no {str(part)!r}; there are {', '.join(map(repr, sorted(value)))}.")
    if isinstance(value, list):
        for element in value:
            if isinstance(element, dict) and any(element.get(member) == part for member in _NAME_MEMBERS):
                return element
        raise ExpressionError(f"{where}: no element of the list is named {part!r}.")
    raise ExpressionError(f"{where}: {part!r} cannot be looked up in {value!r:.80}.")


def references(value: Any) -> Iterator[Reference]:
    """Yield every reference in a value, however deep.

    Raises:
        ExpressionError: an expression is malformed.
    """
    function = function_of(value)
    if function is not None:
        yield from _references_of(function, value[function])
    elif isinstance(value, dict):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def _references_of(function: str, argument: Any) -> Iterator[Reference]:
    if function == "Get":
        reference = parse_get(argument)
        parse_path(reference.path)
        yield reference
    elif function == "Std:Join":
        _, values = join_arguments(argument)
        yield from references(values)
    elif function == "Std:JsonGet":
        source, _ = json_get_arguments(argument)
        yield from references(source)
    else:
        raise ExpressionError(f"{function} is no function of pipeline definitions; there are {', '.join(_FUNCTIONS)}.")


def join_arguments(argument: Any) -> tuple[str, list[Any]]:
    """Return separator and values of a Std:Join; raise ExpressionError when it is malformed."""
    if not isinstance(argument, dict) or not isinstance(argument.get("Values"), list):
        raise ExpressionError(f"Std:Join needs On and a list Values, got {argument!r:.120}.")
    separator = argument.get("On", "")
    if not isinstance(separator, str):
        raise ExpressionError(f"On of a Std:Join is text, got {separator!r:.120}.")
    return separator, argument["Values"]


def json_get_arguments(argument: Any) -> tuple[Any, str]:
    """Return source (a PropertyFile's reference, or an expression of an S3 URI) and path of a Std:JsonGet.

    Raises:
        ExpressionError: it is malformed.
    """
    if not isinstance(argument, dict) or not isinstance(argument.get("Path"), str):
        raise ExpressionError(f"Std:JsonGet needs Path and one of PropertyFile and S3Uri, got {argument!r:.120}.")
    if ("PropertyFile" in argument) == ("S3Uri" in argument):
        raise ExpressionError(f"Std:JsonGet needs exactly one of PropertyFile and S3Uri, got {argument!r:.120}.")
    parse_path(argument["Path"])
    if "S3Uri" in argument:
        return argument["S3Uri"], argument["Path"]
    source = argument["PropertyFile"]
    if function_of(source) != "Get" or property_file_of(parse_get(source["Get"])) is None:
        raise ExpressionError(
            f'PropertyFile of a Std:JsonGet is {{"Get": "Steps.<step>.PropertyFiles.<name>"}}, got {source!r:.120}.'
        )
    return source, argument["Path"]


def property_file_of(reference: Reference) -> str | None:
    """Return the name of the property file that a reference means, or None when it means something else."""
    parts = parse_path(reference.path)
    if reference.root == "Steps" and len(parts) == 2 and parts[0] == "PropertyFiles":
        return str(parts[1])
    return None


def resolve(value: Any, scope: Scope) -> Any:
    """Return a value with every expression replaced by what it comes to.

    Raises:
        ExpressionError: something that is referred to is not there.
    """
    function = function_of(value)
    if function is None:
        if isinstance(value, dict):
            return {key: resolve(item, scope) for key, item in value.items()}
        if isinstance(value, list):
            return [resolve(item, scope) for item in value]
        return value
    if function == "Get":
        return _get(parse_get(value["Get"]), scope)
    if function == "Std:Join":
        separator, values = join_arguments(value[function])
        return separator.join(as_text(resolve(item, scope)) for item in values)
    if function == "Std:JsonGet":
        return _json_get(value[function], scope)
    raise ExpressionError(f"{function} is no function of pipeline definitions; there are {', '.join(_FUNCTIONS)}.")


def _get(reference: Reference, scope: Scope) -> Any:
    if reference.root == "Parameters":
        return scope.parameter(reference.name)
    if reference.root == "Execution":
        return scope.execution(reference.name)
    return look_up(scope.properties(reference.name), reference.path, f"Steps.{reference.name}")


def _json_get(argument: Any, scope: Scope) -> Any:
    source, path = json_get_arguments(argument)
    if "S3Uri" in argument:
        uri = str(resolve(source, scope))
        return look_up(scope.json_at(uri), path, f"{uri} ")
    reference = parse_get(source["Get"])
    name = str(property_file_of(reference))
    return look_up(scope.property_file(reference.name, name), path, f"property file {name} of step {reference.name}: ")


def as_text(value: Any) -> str:
    """Return a value as a join writes it: text as it is, booleans and null as in JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value)
