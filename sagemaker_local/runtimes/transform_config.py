"""What a batch transform job asks for, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagemaker_local.runtimes import jsonpath
from sagemaker_local.runtimes.failure import UserError

_MEGABYTE = 1024 * 1024
# Payloads are at most so large whatever MaxPayloadInMB allows (0 is no limit): memory stays bounded.
_CHUNK = 6 * _MEGABYTE
_JSON_LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl")


@dataclass(frozen=True)
class TransformConfig:
    """The checked request.

    Attributes:
        json_lines: whether records are JSON lines (else CSV).
        json_scores: whether a prediction is written as ``{"score": ...}``.
        split: whether a file is split into records, so that it may be larger than a payload.
        join: whether predictions are appended to the input records.
        limit: the largest payload in bytes, None without one.
        chunk: how much is read at once, in bytes.
        files: names below ``input/data``.
    """

    json_lines: bool
    json_scores: bool
    split: bool
    join: bool
    input_filter: str
    output_filter: str
    limit: int | None
    chunk: int
    files: list[str]

    @property
    def megabytes(self) -> int:
        """The limit as it was given."""
        return (self.limit or 0) // _MEGABYTE


def read(config: dict[str, Any]) -> TransformConfig:
    """Return the request that ``transformjobconfig.json`` holds.

    Raises:
        UserError: it asks for what the service or this runtime refuses.
    """
    content = _media(config["ContentType"]) or "text/csv"
    if content not in {"text/csv", "csv", *_JSON_LINES}:
        raise UserError(
            f"Content-type {config['ContentType']} not supported here. Supported content-type is text/csv and "
            "application/jsonlines; set it in TransformInput.ContentType."
        )
    json_lines = content in _JSON_LINES
    accept = _media(config["Accept"]) or ("application/jsonlines" if json_lines else "text/csv")
    if accept not in {"text/csv", "csv", "*/*", *_JSON_LINES}:
        raise UserError(f"Accept {config['Accept']} is not supported here; use text/csv or application/jsonlines.")
    json_scores = accept in _JSON_LINES or (json_lines and accept == "*/*")
    split, assemble = config["SplitType"], config["AssembleWith"]
    if split not in {"Line", "None"}:
        raise UserError(f"SplitType {split} does not go with {content}; use Line or None.")
    processing = config["DataProcessing"]
    join = processing.get("JoinSource", "None") == "Input"
    if join and (split != "Line" or assemble != "Line"):
        raise UserError(
            f"JoinSource Input needs SplitType Line and AssembleWith Line, a result for each record; the job has "
            f"{split} and {assemble}."
        )
    if join and json_scores != json_lines:
        raise UserError(
            "JoinSource Input needs input and output of the same type: set TransformOutput.Accept to the ContentType."
        )
    filters = processing.get("InputFilter", "$"), processing.get("OutputFilter", "$")
    for name, path, is_json in (("InputFilter", filters[0], json_lines), ("OutputFilter", filters[1], json_scores)):
        try:
            if is_json:
                jsonpath.json_selector(path)
            else:
                jsonpath.csv_picks(path)
        except jsonpath.PathError as error:
            raise UserError(f"{name}: {error}") from error
    limit = config["MaxPayloadInMB"] * _MEGABYTE or None
    return TransformConfig(
        json_lines, json_scores, split == "Line", join, *filters, limit, min(limit or _CHUNK, _CHUNK), config["Files"]
    )


def _media(text: str) -> str:
    return text.partition(";")[0].strip().lower()
