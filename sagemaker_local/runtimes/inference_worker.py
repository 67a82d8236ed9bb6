"""A model server's worker: a person's ``inference.py`` with its model, answering one request after the other.

Run by path with the interpreter of the framework, which need not know this package: standard library alone, and numpy
where a default of the container needs it. Requests and answers go through two pipes (see `read_frame`); what the script
prints goes to the job's log.

`model_fn(model_dir)` loads; `transform_fn(model, body, content_type, accept)`, or `input_fn(body, content_type)`,
`predict_fn(data, model)` and `output_fn(prediction, accept)`, answer. What is left out is done as in AWS's containers.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

_HEADER = struct.Struct(">IQ")
CSV, JSON, NPY = "text/csv", "application/json", "application/x-npy"
_STEPS = ("input_fn", "predict_fn", "output_fn")


class ScriptError(Exception):
    """The script, or a default in its place, cannot do what it is asked for."""


def write_frame(pipe: BinaryIO, header: dict[str, Any], body: bytes = b"") -> None:
    """Write a message: lengths of header and body (uint32, uint64, big-endian), the header as JSON, the body."""
    text = json.dumps(header).encode()
    pipe.write(_HEADER.pack(len(text), len(body)) + text)
    pipe.write(body)
    pipe.flush()


def read_frame(pipe: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read a message; None when the other side is gone."""
    start = pipe.read(_HEADER.size)
    if len(start) < _HEADER.size:
        return None
    header, body = _HEADER.unpack(start)
    text = pipe.read(header)
    content = pipe.read(body)
    if len(text) < header or len(content) < body:
        return None
    return json.loads(text), content


class Handlers:
    """The functions of a script, and what the container does where one is missing."""

    def __init__(self, module: Any, framework: str) -> None:
        """Take the functions.

        Args:
            module: the script.
            framework: ``scikit-learn``, ``xgboost``, or another one, whose defaults are not known here.

        Raises:
            ScriptError: they do not go together.
        """
        self._framework = framework
        self.model: Any = None
        given = {name: getattr(module, name, None) for name in ("model_fn", "transform_fn", *_STEPS)}
        if given["model_fn"] is None:
            raise ScriptError("it has no model_fn. Define model_fn(model_dir), which returns the loaded model.")
        also = [name for name in _STEPS if given[name]]
        if given["transform_fn"] and also:
            raise ScriptError(f"it has transform_fn and {', '.join(also)}; the containers take one or the other.")
        self.load: Callable[[str], Any] = given["model_fn"]
        self._transform = given["transform_fn"]
        self._input = given["input_fn"] or self._default("input_fn", self._decode)
        self._predict = given["predict_fn"] or self._default("predict_fn", self._predicted)
        self._output = given["output_fn"] or self._default("output_fn", encode)

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[str, bytes]:
        """Return content type and body of the answer to a request.

        Raises:
            ScriptError: a function failed; its traceback is in the log.
        """
        data: Any = body.decode() if _is_text(content_type) else body
        if self._transform is not None:
            answered = _calling("transform_fn", self._transform, self.model, data, content_type, accept)
        else:
            taken = _calling("input_fn", self._input, data, content_type)
            prediction = _calling("predict_fn", self._predict, taken, self.model)
            answered = _calling("output_fn", self._output, prediction, accept)
        if isinstance(answered, tuple) and len(answered) == 2:
            answered, accept = answered
        if hasattr(answered, "get_data"):  # a response of Flask
            answered, accept = answered.get_data(), getattr(answered, "mimetype", accept) or accept
        if isinstance(answered, str):
            answered = answered.encode()
        if not isinstance(answered, bytes | bytearray):
            raise ScriptError(
                f"output_fn returned {type(answered).__name__}; it returns text or bytes, or a tuple of these and the "
                "content type."
            )
        return accept, bytes(answered)

    def _default(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if self._framework in {"scikit-learn", "xgboost"}:
            return function

        def missing(*_: Any) -> Any:
            raise ScriptError(f"it has no {name}, and the default of this image is not run here. Define {name}.")

        return missing

    def _decode(self, body: Any, content_type: str) -> Any:
        if self._framework == "xgboost":
            return _matrix(body, content_type)
        return decode(body, content_type)

    def _predicted(self, data: Any, model: Any) -> Any:
        if self._framework == "xgboost":
            return model.predict(data, validate_features=False)
        return model.predict(data)


def decode(body: Any, content_type: str) -> Any:
    """Return a request as numpy reads it, numbers of text as float32; a single CSV line is one-dimensional, as at AWS.

    Raises:
        ScriptError: another content type.
    """
    import numpy as np

    if content_type == CSV:
        return np.genfromtxt(io.StringIO(body), delimiter=",").astype(np.float32)
    if content_type == JSON:
        return np.array(json.loads(body)).astype(np.float32)
    if content_type == NPY:
        return np.load(io.BytesIO(body), allow_pickle=False)
    raise ScriptError(f"the default input_fn reads {CSV}, {JSON} and {NPY}, not {content_type}. Define input_fn.")


def _matrix(body: Any, content_type: str) -> Any:
    import numpy as np
    import xgboost

    if content_type != CSV:
        raise ScriptError(f"the default input_fn of XGBoost reads {CSV} here, not {content_type}. Define input_fn.")
    rows = [[cell or "nan" for cell in line.split(",")] for line in body.strip().splitlines()]
    return xgboost.DMatrix(np.array(rows).astype(np.float32))


def encode(prediction: Any, accept: str) -> Any:
    """Return a prediction as the client takes it.

    Raises:
        ScriptError: another type than JSON, CSV and npy.
    """
    if accept == JSON:
        return json.dumps(prediction.tolist() if hasattr(prediction, "tolist") else prediction)
    import numpy as np

    if accept == CSV:
        text = io.StringIO()
        np.savetxt(text, prediction, delimiter=",", fmt="%s")
        return text.getvalue()
    if accept == NPY:
        content = io.BytesIO()
        np.save(content, prediction, allow_pickle=False)
        return content.getvalue()
    raise ScriptError(f"the default output_fn writes {JSON}, {CSV} and {NPY}, not {accept}. Define output_fn.")


def _is_text(content_type: str) -> bool:
    return content_type.startswith("text/") or "json" in content_type


def _calling(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except ScriptError:
        raise
    except Exception as error:
        traceback.print_exc()
        raise ScriptError(f"{name} failed: {type(error).__name__}: {error}") from error


def _imported(script: Path) -> ModuleType:
    """Import the script from its file, whatever other module has its name."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{script.name} is no Python script; its name ends in .py.")
    module = importlib.util.module_from_spec(spec)
    # As an import would: what it defines can be pickled by its name.
    sys.modules[script.stem] = module
    spec.loader.exec_module(module)
    return module


def main() -> int:
    """Load script and model, say so, and answer until the other side is gone."""
    parser = argparse.ArgumentParser(description="One worker of a model server.")
    for name in ("--code", "--model", "--program", "--framework"):
        parser.add_argument(name, required=True)
    parser.add_argument("--requests", type=int, required=True, help="file descriptor to read from")
    parser.add_argument("--answers", type=int, required=True, help="file descriptor to write to")
    given = parser.parse_args()
    # The directory of this program is no place to import from: its modules would hide the person's.
    sys.path[0] = given.code
    with os.fdopen(given.requests, "rb") as requests, os.fdopen(given.answers, "wb") as answers:
        try:
            handlers = Handlers(_calling("importing it", _imported, Path(given.code) / given.program), given.framework)
            handlers.model = _calling("model_fn", handlers.load, given.model)
        except ScriptError as error:
            write_frame(answers, {"error": str(error)})
            return 1
        write_frame(answers, {})
        while (frame := read_frame(requests)) is not None:
            header, body = frame
            try:
                content_type, answer = handlers.answer(body, header["content_type"], header["accept"])
            except ScriptError as error:
                write_frame(answers, {"error": str(error)})
            else:
                write_frame(answers, {"content_type": content_type}, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
