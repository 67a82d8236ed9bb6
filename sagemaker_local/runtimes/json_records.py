"""How batch transform joins a JSON record with its prediction."""

from __future__ import annotations

from typing import Any

OUTPUT_KEY, INPUT_KEY = "SageMakerOutput", "SageMakerInput"


def joined(record: Any, output: Any) -> Any:
    """Return a record with its prediction: under a key of its own, as the service joins JSON."""
    if isinstance(record, dict):
        return {**record, OUTPUT_KEY: output}
    return {INPUT_KEY: record, OUTPUT_KEY: output}
