"""What a batch transform job asks of a model with an inference script: any content type, checked where it is split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagemaker_local.runtimes import jsonpath
from sagemaker_local.runtimes.failure import UserError

_MEGABYTE = 1024 * 1024
# How much is read at once, and what a request holds at most where MaxPayloadInMB is 0 (no limit).
CHUNK = 6 * _MEGABYTE
# What the containers take for a request that names no type.
DEFAULT_TYPE = "application/json"
_CSV = ("text/csv", "csv")
_JSON = ("application/json", "application/jsonlines", "application/x-jsonlines", "application/jsonl")


@dataclass(frozen=True)
class ScriptConfig:
    """The checked request.

    Attributes:
        content_type: of a request to the script.
        accept: of its answer.
        reads, writes: ``csv``, ``json`` or nothing: what filters see of records and of answers.
        split: whether a file is split into records, line by line.
        single: whether a request holds one record.
        lines: whether a line break ends each answer in the output.
        join: whether answers are appended to their records.
        limit: the largest request of split records in bytes.
        whole_limit: the largest file that is not split, None for any.
        workers: how many requests are under way at a time.
        files: names below ``input/data``.
    """

    content_type: str
    accept: str
    reads: str
    writes: str
    split: bool
    single: bool
    lines: bool
    join: bool
    input_filter: str
    output_filter: str
    limit: int
    whole_limit: int | None
    workers: int
    files: list[str]


def read(config: dict[str, Any], default_accept: str) -> ScriptConfig:
    """Return the request that ``transformjobconfig.json`` holds.

    Args:
        config: the document.
        default_accept: SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT of the model, or nothing.

    Raises:
        UserError: it asks for what the service or this runtime refuses.
    """
    content = media(config["ContentType"]) or DEFAULT_TYPE
    accept = media(config["Accept"])
    if accept in {"", "*/*"}:
        accept = media(default_accept) or DEFAULT_TYPE
    split, processing = config["SplitType"], config["DataProcessing"]
    if split not in {"Line", "None"}:
        raise UserError(f"SplitType {split} is not run here; use Line or None.")
    reads, writes = _kind(content), _kind(accept)
    filters = processing.get("InputFilter", "$"), processing.get("OutputFilter", "$")
    join = processing.get("JoinSource", "None") == "Input"
    if join and (split, config["AssembleWith"]) not in {("Line", "Line"), ("None", "None")}:
        raise UserError(
            f"JoinSource Input needs SplitType and AssembleWith alike; the job has {split} and "
            f"{config['AssembleWith']}."
        )
    if join and (not reads or reads != writes):
        raise UserError(
            f"JoinSource Input needs input and output both CSV or both JSON; the job has {content} and {accept}. Set "
            "TransformOutput.Accept to the ContentType (application/json is what a container answers unless asked)."
        )
    if join and reads == "csv" and split == "None":
        raise UserError("JoinSource Input of CSV needs SplitType Line and AssembleWith Line.")
    _check("InputFilter", filters[0], reads, content)
    _check("OutputFilter", filters[1], writes, accept)
    return ScriptConfig(
        content,
        accept,
        reads,
        writes,
        split == "Line",
        config["BatchStrategy"] == "SingleRecord",
        config["AssembleWith"] == "Line",
        join,
        *filters,
        config["MaxPayloadInMB"] * _MEGABYTE or CHUNK,
        config["MaxPayloadInMB"] * _MEGABYTE or None,
        max(1, config["MaxConcurrentTransforms"]),
        config["Files"],
    )


def media(text: str) -> str:
    """Return a media type without parameters, in lower case."""
    return text.partition(";")[0].strip().lower()


def whole(path: str) -> bool:
    """Tell whether a filter leaves everything."""
    return path in {"", "$"}


def _kind(content_type: str) -> str:
    return "csv" if content_type in _CSV else "json" if content_type in _JSON else ""


def _check(name: str, path: str, kind: str, content_type: str) -> None:
    if whole(path):
        return
    if not kind:
        raise UserError(f"{name} needs CSV or JSON, the job has {content_type}.")
    try:
        if kind == "json":
            jsonpath.json_selector(path)
        else:
            jsonpath.csv_picks(path)
    except jsonpath.PathError as error:
        raise UserError(f"{name}: {error}") from error
