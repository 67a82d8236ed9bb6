"""What a start of a pipeline asks for: checked against the deployed definition, named, and made unrepeatable."""

import hashlib
import json
import re
from typing import Any

from sagemaker_batch.errors import ExecutionError

DISPLAY_NAME_LIMIT = 82
DESCRIPTION_LIMIT = 3072
VALUE_LIMIT = 1024
CHECKS = {
    "Integer": re.compile(r"[+-]?\d+"),
    "Float": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"),
    "Boolean": re.compile(r"true|false|True|False"),
}


def display_name(*parts: str) -> str:
    """Join the parts as SageMaker allows it: letters, digits and single hyphens between them, at most 82 characters.

    A name that is too long keeps its end (the day, the run) and gets a short hash of the whole.
    """
    whole = re.sub(r"-+", "-", re.sub(r"[^A-Za-z0-9]+", "-", "-".join(parts))).strip("-") or "execution"
    if len(whole) <= DISPLAY_NAME_LIMIT:
        return whole
    tag = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{tag}-{whole[-(DISPLAY_NAME_LIMIT - 9) :].strip('-')}"


def token(*identity: object) -> str:
    """Return a ClientRequestToken (64 hexadecimal digits) of what identifies the attempt at the work."""
    return hashlib.sha256(json.dumps([str(part) for part in identity]).encode()).hexdigest()


def build(pipeline: str, parameters: dict[str, Any], name: str, description: str, request_token: str) -> dict[str, Any]:
    """Return the keyword arguments of StartPipelineExecution; parameters sorted, values as text."""
    return {
        "PipelineName": pipeline,
        "PipelineExecutionDisplayName": name,
        "PipelineExecutionDescription": description.replace("\n", " ")[:DESCRIPTION_LIMIT],
        "PipelineParameters": [{"Name": key, "Value": as_text(parameters[key])} for key in sorted(parameters)],
        "ClientRequestToken": request_token,
    }


def as_text(value: object) -> str:
    """Return a parameter's value as SageMaker takes it: text, booleans as true and false."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def check(pipeline: str, definition: str, parameters: dict[str, Any]) -> None:
    """Compare the parameters with those that the deployed definition declares.

    Raises:
        ExecutionError: undeclared, missing, of the wrong type, outside the allowed values, or too long; all at once.
    """
    declared = {item["Name"]: item for item in json.loads(definition).get("Parameters", [])}
    wrong = [_problem(name, value, declared) for name, value in sorted(parameters.items())]
    for name, item in declared.items():
        if "DefaultValue" not in item and name not in parameters:
            wrong.append(f"{name} is missing: the pipeline declares it without a default")
    found = [text for text in wrong if text]
    if found:
        raise ExecutionError(
            f"Pipeline {pipeline} was not started, nothing was spent: {'; '.join(found)}. "
            f"Declared: {', '.join(declared) or 'none'}. Correct the DAG's parameters, or deploy the pipeline that "
            "this version of the DAG expects (`make deploy ACTION=apply`)."
        )


def _problem(name: str, value: object, declared: dict[str, Any]) -> str:
    if name not in declared:
        return f"{name} is not declared by the pipeline"
    kind, text = declared[name].get("Type", "String"), as_text(value)
    if kind in CHECKS and not CHECKS[kind].fullmatch(text):
        return f"{name} is {text!r}, and the pipeline declares {kind}"
    allowed = declared[name].get("EnumValues")
    if allowed and text not in [as_text(item) for item in allowed]:
        return f"{name} is {text!r}; allowed: {', '.join(as_text(item) for item in allowed)}"
    if len(text) > VALUE_LIMIT:
        return f"{name} has {len(text)} characters; SageMaker takes {VALUE_LIMIT}"
    return ""
