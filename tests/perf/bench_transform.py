# ruff: noqa: S311, T201 - seeded data; a benchmark prints
"""Benchmark of the batch transform against the best in-memory way, and against a loop over lines.

    .venv-aws/bin/python tests/perf/bench_transform.py --rows 1000000 --rounds 5

All sides score the same seeded file (an id and 16 features) with the same model (100 trees of depth 5) in one process,
in alternated rounds; the floor reads the whole file with Polars and predicts in place, and writes nothing. The loop
builds a DMatrix for each line, as a server that gets one record at a time does. Quote the ratios, not the seconds.
Memory is the peak of a process of its own. `bench_local.py` writes the table into docs/performance-local.md.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
FEATURES = 16
LOOP_ROWS = 3000
CONFIG = {
    "BatchStrategy": "MultiRecord",
    "MaxPayloadInMB": 6,
    "MaxConcurrentTransforms": 0,
    "ContentType": "text/csv",
    "SplitType": "Line",
    "Accept": "text/csv",
    "AssembleWith": "Line",
}
JOINED = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}


def write_data(path: Path, rows: int, seed: int = 7) -> None:
    """Write the file: an id, then floats of two decimals and whole numbers, without a header."""
    generator = random.Random(seed)
    block = [
        ",".join(
            f"{generator.gauss(100, 30):.2f}" if column % 2 else str(generator.randrange(200))
            for column in range(FEATURES)
        )
        for _ in range(20_000)
    ]
    with path.open("w") as file:
        for number in range(rows):
            file.write(f"{1_000_000 + number},{block[(number * 7919) % len(block)]}\n")


def write_model(path: Path) -> None:
    """Train a model and pack it as a training job does."""
    import numpy as np

    from sagemaker_local.runtimes.lean import import_xgboost

    xgboost = import_xgboost()
    generator = np.random.default_rng(7)
    features = generator.normal(100, 50, (20_000, FEATURES)).astype(np.float32)
    labels = (features[:, 0] + features[:, 3] * features[:, 5] / 100 > 190).astype(np.float32)
    booster = xgboost.train(
        {"max_depth": 5, "objective": "binary:logistic", "nthread": 2}, xgboost.DMatrix(features, labels), 100
    )
    raw = bytes(booster.save_raw("ubj"))
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(raw)
        tar.addfile(member, io.BytesIO(raw))


class Sides:
    """The ways to score one file."""

    def __init__(self, directory: Path, rows: int) -> None:
        """Write data and model, and load the model once for all sides."""
        from sagemaker_local.runtimes import transform_config
        from sagemaker_local.runtimes.model_artifact import Model

        self.directory = directory
        self.rows = rows
        self.source = directory / "features.csv"
        write_data(self.source, rows)
        write_model(directory / "model.tar.gz")
        self.model = Model(directory / "model.tar.gz")
        files = {"Files": [self.source.name]}
        self.joined = transform_config.read({**CONFIG, **files, "DataProcessing": JOINED})
        self.plain = transform_config.read({**CONFIG, **files, "DataProcessing": {"InputFilter": "$[1:]"}})

    def floor(self) -> int:
        """Read the whole file and predict in place: no output, no filter by request, no bounded memory."""
        import numpy as np
        import polars as pl

        schema = {f"c{number}": pl.String if number == 0 else pl.Float32 for number in range(FEATURES + 1)}
        frame = pl.read_csv(self.source, has_header=False, schema=schema)
        matrix = frame.drop("c0").to_numpy(order="c")
        scores = self.model._booster.inplace_predict(matrix, missing=np.nan, validate_features=False)
        return len(scores)

    def transform(self) -> int:
        """Transform as the job does: ``score``."""
        return self._transform(self.plain)

    def transform_joined(self) -> int:
        """Transform as the daily pipeline does: ``id,score``."""
        return self._transform(self.joined)

    def _transform(self, config: object) -> int:
        from sagemaker_local.runtimes.batch_transform import transform_file

        target = self.directory / "out" / "features.csv.out"
        return transform_file(config, self.model, self.source, target, self.source.name)  # type: ignore[arg-type]

    def loop(self) -> int:
        """Predict line by line."""
        import numpy as np

        xgboost, booster = self.model._xgboost, self.model._booster
        with self.source.open() as file, (self.directory / "loop.out").open("w") as out:
            for number, line in enumerate(file):
                if number == LOOP_ROWS:
                    break
                row = np.array([line.split(",")[1:]], dtype=np.float32)
                out.write(f"{booster.predict(xgboost.DMatrix(row))[0]}\n")
        return LOOP_ROWS


Measured = dict[str, list[tuple[float, float]]]


def measure(sides: Sides, rounds: int) -> Measured:
    """Return seconds per row of each side in each round, of wall and CPU; by turns; a first round is not kept."""
    ways: dict[str, Callable[[], int]] = {
        "floor": sides.floor,
        "transform": sides.transform,
        "joined": sides.transform_joined,
        "loop": sides.loop,
    }
    found: Measured = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begun, worked = time.perf_counter(), time.process_time()
            done = way()
            taken = (time.perf_counter() - begun) / done, (time.process_time() - worked) / done
            if number:
                found[name].append(taken)
    return found


def ratios(found: Measured, clock: int) -> dict[str, float]:
    """Return the median, over the rounds, of how many times the floor's time each side takes (clock 0 wall, 1 CPU)."""
    return {
        name: statistics.median(taken[clock] / floor[clock] for taken, floor in zip(side, found["floor"], strict=True))
        for name, side in found.items()
    }


def loop_ratio(found: Measured, clock: int) -> float:
    """Return how many times the transform's time the loop takes."""
    return statistics.median(
        loop[clock] / ours[clock] for loop, ours in zip(found["loop"], found["transform"], strict=True)
    )


def peak_megabytes(rows: int) -> float:
    """Return the peak resident memory of a process that transforms so many rows."""
    done = subprocess.run(
        [sys.executable, __file__, "--memory", str(rows)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    return float(done.stdout.split()[-1])


def only_transform(rows: int) -> None:
    """Transform once, in a process that did nothing else before, and print its peak memory."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, __file__, "--prepare", name, str(rows)], check=True)
        from sagemaker_local.runtimes.batch_transform import transform

        transform(Path(name))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def prepare(directory: Path, rows: int) -> None:
    """Write what a transform job finds."""
    (directory / "config").mkdir()
    (directory / "input/data").mkdir(parents=True)
    write_data(directory / "input/data/features.csv", rows)
    write_model(directory / "model.tar.gz")
    config = {**CONFIG, "Files": ["features.csv"], "DataProcessing": JOINED}
    (directory / "config/transformjobconfig.json").write_text(json.dumps(config))


def table(found: Measured, rows: int, memory: dict[int, float]) -> str:
    """Return the Markdown of a run."""
    wall, cpu = ratios(found, 0), ratios(found, 1)
    label = {
        "floor": "floor: whole file in memory, parse and predict, nothing written",
        "transform": "batch transform, `score`",
        "joined": "batch transform, `id,score` (InputFilter, JoinSource, OutputFilter)",
        "loop": "a loop over lines, one DMatrix each",
    }
    speed = {name: 1 / statistics.median(taken for taken, _ in side) for name, side in found.items()}
    sizes = ", ".join(f"{size:.0f} MB for {count:,} rows" for count, size in memory.items())
    return "\n".join(
        (
            f"{rows:,} rows, {FEATURES} features, 100 trees of depth 5;",
            f"{len(found['floor'])} alternated rounds, medians;",
            f"Python {platform.python_version()}, {os.cpu_count()} cores ({platform.machine()}).",
            "Times are multiples of the floor's.",
            "",
            "| | rows/s | wall | CPU |",
            "|---|---:|---:|---:|",
            *(f"| {label[name]} | {speed[name]:,.0f} | {wall[name]:.2f} | {cpu[name]:.2f} |" for name in label),
            "",
            f"The loop takes {loop_ratio(found, 0):.0f} times as long as the batch transform, and",
            f"{loop_ratio(found, 1):.0f} times its CPU.",
            f"Peak memory of a transform's process: {sizes}.",
        )
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare:
        return prepare(Path(given.prepare[0]), int(given.prepare[1]))
    if given.memory:
        return only_transform(given.memory)
    with tempfile.TemporaryDirectory() as name:
        found = measure(Sides(Path(name), given.rows), given.rounds)
    memory = {rows: peak_megabytes(rows) for rows in (given.rows, 5 * given.rows)}
    print(table(found, given.rows, memory))
    return None


if __name__ == "__main__":
    main()
