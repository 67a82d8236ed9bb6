"""Batch transform through a person's ``inference.py``: what SageMaker's agent does beside a model's container.

``python -m sagemaker_local.runtimes.script_transform --ml /opt/ml --interpreter python3 --program inference.py``. Files
are split into records, filtered, packed into requests of at most MaxPayloadInMB, answered by as many workers as
MaxConcurrentTransforms says (see `inference_worker`), joined and assembled in order. What is under way at a time is
bounded, so memory does not grow with the file.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_local.runtimes import failure, inference_worker, jsonpath, script_config, script_training
from sagemaker_local.runtimes.chunks import chunks
from sagemaker_local.runtimes.failure import ScriptError, UserError
from sagemaker_local.runtimes.inference_worker import read_frame, write_frame
from sagemaker_local.runtimes.json_records import joined
from sagemaker_local.runtimes.script_config import ScriptConfig, whole

_MAX_FIELD = 2**31 - 1


@dataclass(frozen=True)
class Request:
    """Some records of a file.

    Attributes:
        body: what the script gets.
        records: as they stand in the file, where they are joined; else nothing.
        count: how many there are.
        first: which record of the file is the first, from 1.
    """

    body: bytes
    records: list[Any]
    count: int
    first: int

    def place(self, name: str) -> str:
        """Return where the records stand."""
        last = self.first + self.count - 1
        return f"{name}, record {self.first}" if last <= self.first else f"{name}, records {self.first} to {last}"


class Worker:
    """A process with the script and its model."""

    def __init__(self, command: list[str], program: str, environment: dict[str, str], cwd: Path) -> None:
        """Start it; `ready` waits until its model is loaded."""
        self._program = program
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._process = subprocess.Popen(
            [*command, "--requests", str(requests), "--answers", str(answers)],
            env=environment,
            cwd=cwd,
            pass_fds=(requests, answers),
        )
        os.close(requests)
        os.close(answers)
        self._out = os.fdopen(self._requests, "wb")
        self._in = os.fdopen(self._answers, "rb")

    def ready(self) -> None:
        """Wait for the model.

        Raises:
            ScriptError: script or model cannot be loaded.
        """
        self._next("while it loaded the model")

    def ask(self, body: bytes, config: ScriptConfig, place: str) -> bytes:
        """Return the answer to a request.

        Raises:
            ScriptError: the script failed, or its process ended.
        """
        with contextlib.suppress(BrokenPipeError):  # it has ended, which the next line tells
            write_frame(self._out, {"content_type": config.content_type, "accept": config.accept}, body)
        return self._next(place)

    def close(self) -> None:
        """End the process."""
        for pipe in (self._out, self._in):
            with contextlib.suppress(BrokenPipeError):  # it ended with a request half read
                pipe.close()
        self._process.kill()
        self._process.wait()

    def _next(self, place: str) -> bytes:
        frame = read_frame(self._in)
        if frame is None:
            code = self._process.wait()
            raise ScriptError(
                f"{self._program} ended {place} (exit code {code}) without an answer. Its output is in the job's log."
            )
        header, body = frame
        if "error" in header:
            raise ScriptError(f"{self._program}, {place}: {header['error']}")
        return body


def main() -> int:
    """Transform every file, and return the exit code."""
    parser = argparse.ArgumentParser(description="Batch transform through an inference script.")
    parser.add_argument("--ml", type=Path, default=Path("/opt/ml"), help="what the job sees as /opt/ml")
    parser.add_argument("--interpreter", default=sys.executable, help="what runs the script")
    parser.add_argument("--program", default="inference.py", help="the script in --code")
    parser.add_argument("--code", type=Path, default=Path("/opt/ml/model/code"), help="its directory")
    parser.add_argument("--framework", default="", help="whose defaults stand for missing functions")
    given = parser.parse_args()
    csv.field_size_limit(_MAX_FIELD)
    return failure.run(given.ml, lambda ml: transform(ml, given))


def transform(ml: Path, given: Any) -> None:
    """Transform every file of a job.

    Raises:
        UserError: request, archive or input cannot be used.
        ScriptError: the script failed.
    """
    config = script_config.read(
        json.loads((ml / "config/transformjobconfig.json").read_text()),
        os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", ""),
    )
    environment = _environment(ml, given)
    command = [given.interpreter, "-u", str(inference_worker.__file__), "--code", str(given.code)]
    command += ["--model", str(ml / "model"), "--program", given.program, "--framework", given.framework]
    count = min(config.workers, os.cpu_count() or 1)
    workers = [Worker(command, given.program, environment, given.code) for _ in range(count)]
    try:
        for worker in workers:
            worker.ready()
        for name in config.files:
            records = transform_file(config, workers, ml, name)
            print(f"{name}: {records} records", flush=True)
    finally:
        for worker in workers:
            worker.close()


def transform_file(config: ScriptConfig, workers: list[Worker], ml: Path, name: str) -> int:
    """Write the answers for one file, in the order of its records; return their number.

    Raises:
        UserError: a record, or an answer, is not what filters and join need.
        ScriptError: the script failed.
    """
    target = ml / "output/data" / f"{name}.out"
    target.parent.mkdir(parents=True, exist_ok=True)
    free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for worker in workers:
        free.put(worker)

    def answer(request: Request) -> bytes:
        worker = free.get()
        try:
            return assembled(config, request, worker.ask(request.body, config, request.place(name)), name)
        finally:
            free.put(worker)

    count = 0
    with (
        (ml / "input/data" / name).open("rb") as file,
        target.open("wb") as out,
        ThreadPoolExecutor(len(workers)) as pool,
    ):
        waiting: deque[Future[bytes]] = deque()
        for request in requests(config, file, name):
            count += request.count
            waiting.append(pool.submit(answer, request))
            if len(waiting) > len(workers):
                out.write(waiting.popleft().result())
        while waiting:
            out.write(waiting.popleft().result())
    return count


def requests(config: ScriptConfig, file: Any, name: str) -> Iterator[Request]:
    """Yield the requests of a file.

    Raises:
        UserError: a record is larger than a request may be, or not what a filter needs.
    """
    if not config.split:
        body = file.read()
        if config.whole_limit is not None and len(body) > config.whole_limit:
            raise UserError(
                f"{name} has {len(body)} bytes, more than MaxPayloadInMB ({config.whole_limit >> 20}) allows for a "
                "whole file. Use SplitType Line."
            )
        if body:
            record, text = filtered(config, body, name, 1)
            yield Request(text, [record], 1, 1)
        return
    bodies: list[bytes] = []
    kept: list[Any] = []
    size, first = 0, 1
    pieces = chunks(file, script_config.CHUNK, quoted=config.reads == "csv")
    for number, line in enumerate(_records(pieces, config, name), 1):
        record, text = filtered(config, line, name, number)
        if len(text) + 1 > config.limit:
            raise _too_large(config, name, number)
        if bodies and (config.single or size + len(text) + 1 > config.limit):
            yield Request(b"\n".join(bodies) + b"\n", kept, len(bodies), first)
            bodies, kept, size, first = [], [], 0, number
        bodies.append(text)
        if config.join:
            kept.append(record)
        size += len(text) + 1
    if bodies:
        yield Request(b"\n".join(bodies) + b"\n", kept, len(bodies), first)


def _records(pieces: Iterable[Any], config: ScriptConfig, name: str) -> Iterator[bytes]:
    """Yield records without their line ends; blank lines are none.

    Raises:
        UserError: a quote stays open for longer than a record may be.
    """
    number = 1
    for piece in pieces:
        parts: list[bytes] = []
        size, inside = 0, False
        for part in piece.text.split(b"\n"):
            parts.append(part)
            size += len(part) + 1
            # A line break inside of quotes belongs to the record.
            inside ^= config.reads == "csv" and part.count(b'"') % 2 == 1
            if inside:
                # What a filter leaves of a record may be small enough.
                if size > config.limit and whole(config.input_filter):
                    raise _too_large(config, name, number)
                continue
            line = b"\n".join(parts)
            parts, size = [], 0
            if line.strip():
                yield line.removesuffix(b"\r")
                number += 1
        if parts and b"\n".join(parts).strip():
            yield b"\n".join(parts)
            number += 1


def _too_large(config: ScriptConfig, name: str, number: int) -> UserError:
    return UserError(
        f"{name}, record {number} is larger than MaxPayloadInMB ({config.limit >> 20}). Is a quote not closed, or a "
        "line break missing?"
    )


def filtered(config: ScriptConfig, line: bytes, name: str, number: int) -> tuple[Any, bytes]:
    """Return a record, read if it is joined or filtered, and what InputFilter leaves of it for the script.

    Raises:
        UserError: it cannot be read, or has not what the filter asks for.
    """
    if whole(config.input_filter) and not config.join:
        return None, line
    place = f"{name}, record {number}"
    record = _read(line, config.reads, place)
    if whole(config.input_filter):
        return record, line
    try:
        chosen = _picked(record, config.input_filter, config.reads)
    except jsonpath.PathError as error:
        raise UserError(f"InputFilter, {place}: {error}") from error
    return record, _written(chosen, config.reads)


def assembled(config: ScriptConfig, request: Request, body: bytes, name: str) -> bytes:
    """Return what an answer adds to the output.

    Raises:
        UserError: it has not one line for each record to join, or not what OutputFilter asks for.
    """
    if config.join or not whole(config.output_filter):
        place = f"the answer to {request.place(name)}"
        lines = list(_lines(body, config))
        if config.join and len(lines) != request.count:
            raise UserError(
                f"{place} has {len(lines)} lines for {request.count} records, so they cannot be joined. The script "
                "must answer one line a record (a JSON list is one line: use Accept text/csv, or BatchStrategy "
                "SingleRecord)."
            )
        answers = [_read(line, config.writes, place) for line in lines]
        if config.join:
            answers = [
                _join(record, answer, config.reads) for record, answer in zip(request.records, answers, strict=True)
            ]
        try:
            chosen = [_picked(answer, config.output_filter, config.writes) for answer in answers]
        except jsonpath.PathError as error:
            raise UserError(f"OutputFilter, {place}: {error}") from error
        body = b"\n".join(_written(each, config.writes) for each in chosen)
    return body + b"\n" if config.lines and not body.endswith(b"\n") else body


def _lines(body: bytes, config: ScriptConfig) -> Iterator[bytes]:
    if not config.split and config.writes == "json":
        yield body
        return
    yield from (line.removesuffix(b"\r") for line in body.split(b"\n") if line.strip())


def _read(line: bytes, kind: str, place: str) -> Any:
    try:
        if kind == "json":
            return json.loads(line)
        return next(csv.reader(io.StringIO(line.decode(), newline=""), strict=True))
    except (ValueError, csv.Error, StopIteration) as error:
        raise UserError(f"{place}: this is no {kind.upper()} ({error}).") from error


def _picked(value: Any, path: str, kind: str) -> Any:
    if whole(path):
        return value
    if kind == "json":
        return jsonpath.json_selector(path)(value)
    return [value[index] for index in jsonpath.csv_indices(path, len(value))]


def _join(record: Any, answer: Any, kind: str) -> Any:
    return [*record, *answer] if kind == "csv" else joined(record, answer)


def _written(value: Any, kind: str) -> bytes:
    if kind == "json":
        return json.dumps(value, ensure_ascii=False).encode()
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(value)
    return text.getvalue().encode()


def _environment(ml: Path, given: Any) -> dict[str, str]:
    """Return the environment of the workers, with the archive's requirements installed for them.

    Raises:
        UserError: the archive has no such script, or its requirements cannot be installed.
    """
    if Path(given.program).name != given.program:
        raise UserError(
            f"SAGEMAKER_PROGRAM is {given.program!r}; write the name of a script in the model's code directory, such "
            "as inference.py, without a folder."
        )
    if not (given.code / given.program).is_file():
        there = ", ".join(sorted(path.name for path in given.code.iterdir())) if given.code.is_dir() else "nothing"
        raise UserError(
            f"The model has no {given.program!r} in its code directory, which holds {there}. Put the script into the "
            "folder code/ of model.tar.gz, and its name into SAGEMAKER_PROGRAM of the model's Environment."
        )
    packages = Path(os.environ.get("TMPDIR", str(ml))) / "packages"
    own = os.environ.get("SAGEMAKER_LOCAL_PYTHONPATH", "")
    environment = {name: value for name, value in os.environ.items() if name != "SAGEMAKER_LOCAL_PYTHONPATH"}
    environment["PYTHONPATH"] = os.pathsep.join(part for part in (str(given.code), str(packages), own) if part)
    requirements = given.code / "requirements.txt"
    if requirements.is_file():
        command = [given.interpreter, str(script_training.__file__), "--install", str(requirements), str(packages)]
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
        print(done.stderr, file=sys.stderr, end="", flush=True)
        if done.returncode:
            raise UserError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "requirements.txt failed.")
    return environment


if __name__ == "__main__":
    sys.exit(main())
