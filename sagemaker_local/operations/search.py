"""Search over pipelines, their versions and executions, model packages, their groups, training jobs and experiments.

Names follow the SearchRecord of the resource: dots walk into structures and maps, ``Tags.<key>``,
``HyperParameters.<name>`` and ``Metrics.<name>`` reach a tag, a hyperparameter, a final metric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, Shape

from sagemaker_local import listing, model
from sagemaker_local.errors import NotImplementedHereError, ValidationError
from sagemaker_local.operations.registry import Call, operation
from sagemaker_local.operations.tags import tags_of

Document = dict[str, Any]

# Resource -> (kind in the store, member that identifies it, whether it has tags).
RESOURCES: dict[str, tuple[str, str, bool]] = {
    "Pipeline": ("pipeline", "PipelineArn", True),
    "PipelineVersion": ("pipeline_version", "PipelineVersionId", False),
    "PipelineExecution": ("pipeline_execution", "PipelineExecutionArn", False),
    "ModelPackageGroup": ("model_package_group", "ModelPackageGroupArn", True),
    "ModelPackage": ("model_package", "ModelPackageArn", True),
    "TrainingJob": ("training_job", "TrainingJobArn", True),
    "Experiment": ("experiment", "ExperimentArn", True),
    "ExperimentTrial": ("trial", "TrialArn", True),
    "ExperimentTrialComponent": ("trial_component", "TrialComponentArn", True),
}
# Resources whose shape, and member of a SearchRecord, has another name.
_MEMBERS = {"ExperimentTrial": "Trial", "ExperimentTrialComponent": "TrialComponent"}
_SUGGESTIONS = 10
_NUMBERS = frozenset({"integer", "long", "float", "double"})
# The same comparisons as the store writes them.
_SIGNS = {"GreaterThan": ">", "GreaterThanOrEqualTo": ">=", "LessThan": "<", "LessThanOrEqualTo": "<="}
# Times by which the store can sort; what was never changed was last changed when it was made.
_TIMES = {"LastModifiedTime": "LastModifiedTime|CreationTime", "CreationTime": "CreationTime"}
_SIZE = 10
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanOrEqualTo": lambda left, right: left >= right,
    "LessThan": lambda left, right: left < right,
    "LessThanOrEqualTo": lambda left, right: left <= right,
}


@operation("Search")
def search(call: Call) -> Document:
    resource = call.request["Resource"]
    shape = _shape_of(resource)
    if "VisibilityConditions" in call.request:
        raise NotImplementedHereError("Search with VisibilityConditions")
    expression = call.request.get("SearchExpression")
    if expression is not None:
        _satisfies({}, expression, shape)  # a wrong expression is told even when there is nothing to search
    terms, decided = _terms(expression or {}, shape)
    kind, member = RESOURCES[resource][0], str(_MEMBERS.get(resource, resource))
    sort = call.request.get("SortBy", "LastModifiedTime")
    if decided and sort in _TIMES and not listing.others_only(call):
        # What the store decides alone costs a page, however much there is.
        _shape_at(shape, call.request.get("SortBy", _default_sort(shape)))
        answer = listing.matching(
            call,
            kind,
            lambda document: {member: _record(call, resource, document)},
            terms,
            sort=_TIMES[sort],
            default="Descending",
            size=_SIZE,
        )
        total = call.tx.count_matching(kind, terms)
        return {**answer, "TotalHits": {"Value": total, "Relation": "EqualTo"}}
    documents = [] if listing.others_only(call) else call.tx.matching(kind, terms)
    records = [_record(call, resource, document) for document in documents]
    found = [record for record in records if expression is None or _satisfies(record, expression, shape)]
    keyed = _sorted(call, found, shape, resource)
    answer = listing.page(call, keyed, lambda record: {member: record}, default="Descending", size=_SIZE)
    return {**answer, "TotalHits": {"Value": len(found), "Relation": "EqualTo"}}


def _terms(expression: Document, shape: Shape) -> tuple[list[tuple[str, str, Any]], bool]:
    """Return what of an expression the store can decide by itself, and whether that is all of it.

    These are comparisons of members that a document has at its top, all of which must hold.
    """
    filters = expression.get("Filters", [])
    if expression.get("Operator", "And") != "And":
        return [], False
    decided = not expression.get("NestedFilters") and not expression.get("SubExpressions")
    found: list[tuple[str, str, Any]] = []
    for condition in filters:
        name, value = condition["Name"], condition.get("Value")
        kind = getattr(shape, "members", {}).get(name)
        type_name = "" if kind is None else kind.type_name
        chosen = condition.get("Operator", "Equals")
        sign = "=" if chosen == "Equals" else _SIGNS.get(chosen, "") if type_name != "string" else ""
        if value is None or not sign or type_name not in {"string", "timestamp", *_NUMBERS}:
            decided = False
            continue
        found.append((name, sign, _typed(name, value, type_name)))
    return found, decided


@operation("GetSearchSuggestions")
def get_search_suggestions(call: Call) -> Document:
    """Return names of properties that hold the hint: those of the shape, and the tags that there are."""
    resource = call.request["Resource"]
    shape = _shape_of(resource)
    query = call.request.get("SuggestionQuery", {}).get("PropertyNameQuery", {})
    hint = query.get("PropertyNameHint", "").lower()
    names = set(_property_names(shape))
    kind, identity, tagged = RESOURCES[resource]
    if tagged:
        documents = call.tx.list(kind)
        names |= {f"Tags.{tag['Key']}" for document in documents for tag in tags_of(call, document[identity])}
    found = sorted((name for name in names if hint in name.lower()), key=lambda name: (name.count("."), name))
    return {"PropertyNameSuggestions": [{"PropertyName": name} for name in found[:_SUGGESTIONS]]}


def _shape_of(resource: str) -> Shape:
    if resource not in RESOURCES:
        raise NotImplementedHereError(f"Search with Resource={resource!r} (it knows {', '.join(RESOURCES)})")
    return model.service().shape_for(_MEMBERS.get(resource, resource))


def _property_names(shape: Shape, path: str = "", depth: int = 0) -> Iterator[str]:
    for name, member in getattr(shape, "members", {}).items():
        here = f"{path}{name}"
        if member.type_name == "structure" and depth < 2:
            yield from _property_names(member, f"{here}.", depth + 1)
        elif member.type_name not in {"structure", "list", "map"}:
            yield here


def _record(call: Call, resource: str, document: Document) -> Document:
    """Return a document as the SearchRecord shows it."""
    _, identity, tagged = RESOURCES[resource]
    members = model.members(_MEMBERS.get(resource, resource))
    record = {name: value for name, value in document.items() if name in members}
    if tagged:
        record["Tags"] = tags_of(call, document[identity])
    if resource == "PipelineExecution":
        record["PipelineParameters"] = document["_local"]["parameters"]
    return record


def _default_sort(shape: Shape) -> str:
    """Return the documented default, but for groups and versions, which know no LastModifiedTime."""
    return "LastModifiedTime" if "LastModifiedTime" in model.members(shape.name) else "CreationTime"


def _sorted(call: Call, records: list[Document], shape: Shape, resource: str) -> list[tuple[list[Any], Document]]:
    path = call.request.get("SortBy", _default_sort(shape))
    _shape_at(shape, path)
    identity = RESOURCES[resource][1]
    keyed: list[tuple[list[Any], Document]] = []
    for record in records:
        values = _values(record, path)
        value = values[0] if values else None
        number = float(value) if isinstance(value, (int, float)) else 0.0
        text = value if isinstance(value, str) else ""
        keyed.append(([number, text, str(record.get("PipelineArn", "")), record[identity]], record))
    keyed.sort(key=lambda pair: pair[0], reverse=listing.descending(call, "Descending"))
    return keyed


def _satisfies(record: Document, expression: Document, shape: Shape) -> bool:
    """Tell whether a record satisfies an expression; every part is evaluated, so that a wrong one is always told."""
    results = [_matches(record, condition, shape) for condition in expression.get("Filters", [])]
    results.extend(_any_item(record, nested, shape) for nested in expression.get("NestedFilters", []))
    results.extend(_satisfies(record, inner, shape) for inner in expression.get("SubExpressions", []))
    if not results:
        raise ValidationError("A SearchExpression needs at least one of Filters, NestedFilters and SubExpressions.")
    return any(results) if expression.get("Operator", "And") == "Or" else all(results)


def _any_item(record: Document, nested: Document, shape: Shape) -> bool:
    """Tell whether one item of a list satisfies all filters at once."""
    name = nested["NestedPropertyName"]
    listed = _shape_at(shape, name)
    if not isinstance(listed, ListShape):
        raise ValidationError(f"NestedPropertyName {name!r} is not a list of {shape.name}.")
    items = [item for value in _values(record, name) for item in (value if isinstance(value, list) else [value])]
    inner = [{**condition, "Name": condition["Name"].removeprefix(f"{name}.")} for condition in nested["Filters"]]
    return any(all(_matches(item, condition, listed.member) for condition in inner) for item in items)


def _matches(record: Document, condition: Document, shape: Shape) -> bool:
    name, value = condition["Name"], condition.get("Value")
    kind = _shape_at(shape, name)
    present = _values(record, name)
    chosen = condition.get("Operator", "Equals" if value is not None else "Exists")
    if chosen in {"Exists", "NotExists"}:
        return bool(present) == (chosen == "Exists")
    if value is None:
        raise ValidationError(f"The filter on {name} with {chosen} needs a Value.")
    type_name = "string" if kind is None else kind.type_name
    wanted = _typed(name, value, type_name)
    if chosen in _ORDERS:
        return any(_compare(chosen, item, wanted, name, type_name) for item in present)
    if chosen == "Contains":
        return any(value.lower() in str(item).lower() for item in present)
    if chosen == "In":
        return any(str(item) in [part.strip() for part in value.split(",")] for item in present)
    equal = any(item == wanted for item in present)
    return equal == (chosen == "Equals")


def _compare(chosen: str, item: Any, wanted: Any, name: str, type_name: str) -> bool:
    if type_name == "string":
        # Hyperparameters are kept as text and compared as numbers, as the documentation has it.
        try:
            return _ORDERS[chosen](float(item), float(wanted))
        except ValueError as error:
            raise ValidationError(f"{chosen} is not supported for the text property {name}.") from error
    return _ORDERS[chosen](item, wanted)


def _typed(name: str, value: str, type_name: str) -> Any:
    try:
        if type_name in _NUMBERS:
            return float(value)
        if type_name == "boolean":
            return {"true": True, "false": False}[value.lower()]
        if type_name == "timestamp":
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, KeyError) as error:
        raise ValidationError(f"Value {value!r} of the filter on {name} is no {type_name}.") from error
    return value


def _shape_at(shape: Shape, path: str) -> Shape | None:
    """Return the shape of a property, or None for the text in a map or a tag.

    Raises:
        ValidationError: the resource has no such property.
    """
    parts = path.split(".")
    if parts[0] == "Tags" and len(parts) > 1:
        return None
    if parts[0] == "Metrics" and shape.name == "TrainingJob":
        return model.service().shape_for("Float")
    current: Shape = shape
    for part in parts:
        while isinstance(current, ListShape):
            current = current.member
        if current.type_name == "map":
            return None
        members = getattr(current, "members", {})
        if part not in members:
            raise ValidationError(f"Unknown property name: {path}")
        current = members[part]
    return current


def _values(record: Document, path: str) -> list[Any]:
    """Return what stands at a path: nothing, one value, or one for each item of the lists on the way."""
    head, _, rest = path.partition(".")
    if head == "Tags" and rest:
        return [tag["Value"] for tag in record.get("Tags", []) if tag["Key"] == rest]
    if head == "Metrics" and rest:
        metrics = record.get("FinalMetricDataList", [])
        return [metric["Value"] for metric in metrics if metric["MetricName"] == rest]
    return _walk(record, path)


def _walk(value: Any, path: str) -> list[Any]:
    if isinstance(value, list):
        return [found for item in value for found in _walk(item, path)]
    if not isinstance(value, dict):
        return []
    if path in value:  # keys of a map may hold dots
        inner = value[path]
        return [] if inner is None else [inner]
    head, _, rest = path.partition(".")
    return _walk(value[head], rest) if rest and head in value else []
