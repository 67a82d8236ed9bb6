"""Pipeline definitions: what is wrong with one. Pure; nothing is asked of the world.

The language is AWS's ("2020-12-01"). Its public JSON schema rejects what the SageMaker SDK writes, so it is no gate
here: the Arguments of a job step are checked against the operation that they will be sent to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from botocore.validate import ParamValidator

from sagemaker_local import model, parameters
from sagemaker_local.engine import conditions, graph
from sagemaker_local.engine.expressions import (
    EXECUTION_VARIABLES,
    ExpressionError,
    Reference,
    function_of,
    property_file_of,
    references,
)

VERSION = "2020-12-01"
# Step type -> the operation that its Arguments are sent to, and the member that the engine adds.
OPERATIONS = {
    "Processing": ("CreateProcessingJob", "ProcessingJobName"),
    "QualityCheck": ("CreateProcessingJob", "ProcessingJobName"),
    "Training": ("CreateTrainingJob", "TrainingJobName"),
    "Transform": ("CreateTransformJob", "TransformJobName"),
    "Tuning": ("CreateHyperParameterTuningJob", "HyperParameterTuningJobName"),
    "Model": ("CreateModel", "ModelName"),
    "RegisterModel": ("CreateModelPackage", None),
}
STEP_TYPES = (*OPERATIONS, "Lambda", "Callback", "Condition", "Fail")
OTHER_TYPES = (
    *("ClarifyCheck", "EMR", "EMRServerless", "AutoML", "EndpointConfig", "Endpoint"),
    *("InferenceComponent", "Lineage", "Job", "Cleanup", "ForEach"),
)
HYPERBAND = "Hyperband"  # needs the metrics of each epoch while a job trains; the other strategies run
OUTPUT_TYPES = parameters.TYPES
CHECK_TYPES = ("DATA_QUALITY", "MODEL_QUALITY")
_STEP_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,63}")
_ALWAYS_ALLOWED_EXCEPTIONS = ("Step.SERVICE_FAULT", "Step.THROTTLING")
_JOB_EXCEPTIONS = ("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT")


def problems(definition_json: str) -> list[str]:
    """Return what is wrong with a definition, one sentence each; an empty list means that it can run."""
    try:
        definition = json.loads(definition_json)
    except (ValueError, RecursionError) as error:
        return [f"The definition is no JSON: {error}"]
    if not isinstance(definition, dict):
        return ["The definition is no JSON object."]
    found = list(_top_level(definition))
    if found:
        return found
    found = [*parameters.problems(definition), *_steps(definition)]
    return found or list(_connections(definition))


def _top_level(definition: dict[str, Any]) -> Iterator[str]:
    if definition.get("Version") != VERSION:
        yield f'Version must be "{VERSION}", got {definition.get("Version")!r}.'
    if not isinstance(definition.get("Steps"), list) or not definition["Steps"]:
        yield "Steps must be a list with at least one step."
    if not isinstance(definition.get("Parameters") or [], list):
        yield "Parameters must be a list."


def _steps(definition: dict[str, Any]) -> Iterator[str]:
    seen: set[str] = set()
    for entry in graph.flatten(definition["Steps"]):
        body = entry["body"]
        name = body.get("Name") if isinstance(body, dict) else None
        if not isinstance(name, str) or not _STEP_NAME.fullmatch(name):
            yield f"A step needs a Name of letters, digits and inner hyphens (at most 64), got {body!r:.120}."
            continue
        if name in seen:
            yield f"Step name [{name}] is used more than once; names are unique, in branches of conditions too."
        seen.add(name)
        yield from (f"Step [{name}]: {problem}" for problem in _step(graph.own(body)))


def beyond_us(text: str) -> list[str]:
    """Return the types of steps that AWS runs and we do not, each once; none when the text is no definition."""
    try:
        steps = json.loads(text)["Steps"]
        bodies = [entry["body"] for entry in graph.flatten(steps)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    kinds = [body.get("Type") for body in bodies if isinstance(body, dict)]
    found = [kind for kind in OTHER_TYPES if kind in kinds]
    strategies = [_strategy(body) for body in bodies if isinstance(body, dict) and body.get("Type") == "Tuning"]
    return found + ([f"Tuning with Strategy {HYPERBAND}"] if HYPERBAND in strategies else [])


def _strategy(body: dict[str, Any]) -> Any:
    arguments = body.get("Arguments")
    config = arguments.get("HyperParameterTuningJobConfig") if isinstance(arguments, dict) else None
    return config.get("Strategy") if isinstance(config, dict) else None


def _step(body: dict[str, Any]) -> Iterator[str]:
    kind = body.get("Type")
    if kind not in STEP_TYPES:
        if kind in OTHER_TYPES:
            yield f"sagemaker_local does not run steps of Type {kind}; it runs {', '.join(STEP_TYPES)}."
        else:
            yield f"Type {kind!r} is unknown; there are {', '.join(STEP_TYPES)}."
        return
    if not isinstance(body.get("Arguments"), dict) and kind != "Lambda":
        yield "Arguments are missing or no object."
        return
    try:
        list(references(body))
    except ExpressionError as error:
        yield str(error)
        return
    yield from _depends_on(body)
    yield from _retry_policies(body)
    yield from _cache_config(body)
    yield from _of_type(body)


def _of_type(body: dict[str, Any]) -> Iterator[str]:
    kind = body["Type"]
    if kind in OPERATIONS:
        yield from _job_arguments(kind, body["Arguments"])
    if kind in _OF_TYPE:
        yield from _OF_TYPE[kind](body)


def _quality_check(body: dict[str, Any]) -> Iterator[str]:
    if body.get("CheckType") not in CHECK_TYPES:
        yield f"CheckType {body.get('CheckType')!r} is unknown; there are {', '.join(CHECK_TYPES)}."


def _lambda(body: dict[str, Any]) -> Iterator[str]:
    if not isinstance(body.get("FunctionArn"), str) and function_of(body.get("FunctionArn")) is None:
        yield "FunctionArn is missing."
    if body.get("Arguments") is not None and not isinstance(body["Arguments"], dict):
        yield "Arguments, the event of the function, are no object."
    yield from _output_parameters(body)


def _callback(body: dict[str, Any]) -> Iterator[str]:
    if not isinstance(body.get("SqsQueueUrl"), str) and function_of(body.get("SqsQueueUrl")) is None:
        yield "SqsQueueUrl is missing."
    yield from _output_parameters(body)


def _fail(body: dict[str, Any]) -> Iterator[str]:
    if "ErrorMessage" not in body["Arguments"]:
        yield "ErrorMessage is missing from Arguments."


def _condition(body: dict[str, Any]) -> Iterator[str]:
    listed = body["Arguments"].get("Conditions")
    if not isinstance(listed, list) or not listed:
        yield "Conditions must be a list with at least one condition."
        return
    for condition in listed:
        yield from conditions.problems(condition)


def _output_parameters(body: dict[str, Any]) -> Iterator[str]:
    for output in body.get("OutputParameters") or []:
        if not isinstance(output, dict) or not isinstance(output.get("OutputName"), str):
            yield f"an entry of OutputParameters needs an OutputName, got {output!r:.120}."
        elif output.get("OutputType") not in OUTPUT_TYPES:
            yield (
                f"OutputParameters [{output['OutputName']}] has OutputType {output.get('OutputType')!r}; "
                f"there are {', '.join(OUTPUT_TYPES)}."
            )


def _property_files(body: dict[str, Any]) -> Iterator[str]:
    outputs = (body["Arguments"].get("ProcessingOutputConfig") or {}).get("Outputs") or []
    names = {output.get("OutputName") for output in outputs if isinstance(output, dict)}
    for file in body.get("PropertyFiles") or []:
        missing = [key for key in ("PropertyFileName", "OutputName", "FilePath") if key not in file]
        if missing:
            yield f"a property file lacks {', '.join(missing)}."
        elif file["OutputName"] not in names:
            yield f"property file [{file['PropertyFileName']}] names output [{file['OutputName']}], which is not there."


_OF_TYPE: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "Processing": _property_files,
    "QualityCheck": _quality_check,
    "Lambda": _lambda,
    "Callback": _callback,
    "Condition": _condition,
    "Fail": _fail,
}


def _depends_on(body: dict[str, Any]) -> Iterator[str]:
    listed = body.get("DependsOn") or []
    if not isinstance(listed, list):
        yield "DependsOn must be a list."
        return
    for entry in listed:
        name = entry.get("Step") if isinstance(entry, dict) else entry
        trigger = entry.get("Trigger", "Completed") if isinstance(entry, dict) else "Completed"
        if not isinstance(name, str) or trigger not in graph.TRIGGERS:
            yield f"DependsOn holds step names, or Step with a Trigger of {', '.join(graph.TRIGGERS)}, not {entry!r}."


def _retry_policies(body: dict[str, Any]) -> Iterator[str]:
    allowed: tuple[str, ...] = _ALWAYS_ALLOWED_EXCEPTIONS
    if body["Type"] in {"Processing", "Training", "Transform", "Tuning", "QualityCheck"}:
        allowed = (*allowed, *_JOB_EXCEPTIONS)
    for policy in body.get("RetryPolicies") or []:
        if not isinstance(policy, dict) or not policy.get("ExceptionType"):
            yield f"a retry policy needs ExceptionType, got {policy!r:.120}."
            continue
        kinds = policy["ExceptionType"] if isinstance(policy["ExceptionType"], list) else [policy["ExceptionType"]]
        wrong = [kind for kind in kinds if kind not in allowed]
        if wrong:
            yield f"a retry policy of a {body['Type']} step takes ExceptionType {', '.join(allowed)}, not {wrong}."
        policy = without_nulls(policy)  # noqa: PLW2901 - the same policy, as the service reads it
        if ("MaxAttempts" in policy) == ("ExpireAfterMin" in policy):
            yield "a retry policy needs exactly one of MaxAttempts and ExpireAfterMin."
        numbers = [policy.get(key, 1) for key in ("IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin")]
        if any(isinstance(number, bool) or not isinstance(number, (int, float)) or number < 0 for number in numbers):
            yield f"a retry policy has a value that is no number: {policy!r:.120}."


def _cache_config(body: dict[str, Any]) -> Iterator[str]:
    from sagemaker_local.engine import cache  # it needs what is defined here

    config = without_nulls(body.get("CacheConfig") or {})
    if not config:
        return
    if body["Type"] not in cache.ATTRIBUTES:
        yield f"a {body['Type']} step takes no CacheConfig; these do: {', '.join(cache.ATTRIBUTES)}."
        return
    if not isinstance(config.get("Enabled"), bool):
        yield f"Enabled of CacheConfig must be true or false, got {config.get('Enabled')!r}."
    try:
        cache.duration(str(config.get("ExpireAfter", "P1D")))
    except ValueError as error:
        yield f"ExpireAfter of CacheConfig: {error}."


def _job_arguments(kind: str, arguments: dict[str, Any]) -> Iterator[str]:
    operation_name, name_member = OPERATIONS[kind]
    shape: Any = model.operation(operation_name).input_shape
    filled = _filled(without_nulls(arguments), shape)
    if name_member is not None:
        filled[name_member] = "name"
    unknown = sorted(set(filled) - set(shape.members))
    if unknown:
        yield f"{operation_name} has no {', '.join(unknown)}."
        filled = {key: value for key, value in filled.items() if key in shape.members}
    report = ParamValidator().validate(filled, shape)
    if report.has_errors():
        yield f"the Arguments are wrong for {operation_name}: {report.generate_report()}"


def without_nulls(value: Any) -> Any:
    """Return a value without members that are null: to the service they are absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def _filled(value: Any, shape: Any) -> Any:
    """Return a value with each expression replaced by a dummy that its place accepts."""
    if function_of(value) is not None:
        return _dummy(shape)
    if shape.type_name == "structure" and isinstance(value, dict):
        return {key: _filled(item, shape.members[key]) if key in shape.members else item for key, item in value.items()}
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _filled(item, shape.value) for key, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_filled(item, shape.member) for item in value]
    return value


def _dummy(shape: Any) -> Any:
    kind = shape.type_name
    if kind == "string":
        return "x" * max(1, int(shape.metadata.get("min", 1)))
    if kind in {"integer", "long", "float", "double"}:
        return max(1, int(shape.metadata.get("min", 1)))
    if kind == "structure":
        return {name: _dummy(shape.members[name]) for name in shape.required_members}
    if kind == "list":
        return [_dummy(shape.member)] * int(shape.metadata.get("min", 0))
    return {"boolean": True, "map": {}, "blob": b"x", "timestamp": 0}[kind]


def _connections(definition: dict[str, Any]) -> Iterator[str]:
    """Check what only makes sense once each step is sound by itself."""
    bodies = {entry["body"]["Name"]: graph.own(entry["body"]) for entry in graph.flatten(definition["Steps"])}
    declared = {parameter["Name"] for parameter in definition.get("Parameters") or []}
    found = False
    for name, body in bodies.items():
        for reference in references(body):
            problem = _dangling(reference, name, bodies, declared)
            if problem:
                found = True
                yield f"Step [{name}]: {problem}"
        for other in graph.depends_on(body):
            if other not in bodies:
                found = True
                yield f"Step [{name}]: DependsOn names the step [{other}], which is not there."
    if not found:
        waits_for = {step.name: set(step.waits_for) for step in graph.build(definition).values()}
        circle = graph.cycle(waits_for)
        if circle:
            yield f"Steps wait for each other in a circle: {' -> '.join(circle)}."


def _dangling(reference: Reference, name: str, bodies: dict[str, dict[str, Any]], declared: set[str]) -> str | None:
    if reference.root == "Parameters":
        if reference.name not in declared:
            return f"{reference} refers to a parameter that is not declared."
    elif reference.root == "Execution":
        if reference.name not in EXECUTION_VARIABLES:
            return f"{reference} is no execution variable; there are {', '.join(EXECUTION_VARIABLES)}."
    elif reference.name not in bodies:
        return f"{reference} refers to a step that is not there."
    elif reference.name == name:
        return f"{reference} refers to the step itself."
    else:
        return _dangling_property(reference, bodies[reference.name])
    return None


def _dangling_property(reference: Reference, body: dict[str, Any]) -> str | None:
    file = property_file_of(reference)
    if file is not None:
        declared = [entry["PropertyFileName"] for entry in body.get("PropertyFiles") or []]
        return None if file in declared else f"{reference} refers to a property file that the step does not declare."
    if body["Type"] == "Fail":
        return f"{reference} refers to a Fail step, which has no properties."
    return None
