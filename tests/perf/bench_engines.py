# ruff: noqa: T201 - answers on standard output
"""One pass of one engine over one file, in a process of its own: `bench_engines.py ENGINE FILE` prints its seconds.

The analyzer and Polars run in `.venv-aws`, the peers in `.venv-bench`. Imports, and Spark's virtual machine, are part
of the process; the seconds printed are those of the work (for Spark with the start of its session).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "include" / "pipeline_scripts"
Work = Callable[[], object]


def polars(path: Path) -> Work:
    """Parse every field and keep the minimum of each column: the floor of any profile."""
    import polars as pl

    # Text in numbers would end a typed pass: the floor of such a file is reading its fields as text.
    schema = {"infer_schema": False} if path.name.startswith("dirty") else {}
    return lambda: pl.scan_csv(path, **schema).select(pl.all().min()).collect(engine="streaming")


def analyzer(path: Path) -> Work:
    """Everything that statistics.json and constraints.json hold, exact sketches and distinct counts included."""
    sys.path.insert(0, str(SCRIPTS))
    from monitor_analyzer import compiled, constraints
    from monitor_analyzer import statistics as facts
    from monitor_analyzer.dataset import DatasetFormat, profile_dataset

    if compiled.wanted(path.stat().st_size):
        with tempfile.TemporaryDirectory() as folder:
            tiny = Path(folder) / "tiny.csv"
            tiny.write_text("a,b\n1.25,x\n123456789.123456789,y\n")
            os.environ[compiled.SETTING] = "compiled"
            profile_dataset(tiny, DatasetFormat())

    def work() -> object:
        profile = profile_dataset(path, DatasetFormat())
        return facts.document(profile), constraints.suggest(profile)

    return work


def command(path: Path) -> Work:
    """The command line, as a person types it, with both files written."""
    sys.path.insert(0, str(SCRIPTS))

    def work() -> object:
        from monitor_analyzer import cli

        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            return cli.main(["profile", str(path), "--output", str(Path(folder) / "out")])

    return work


def whylogs(path: Path) -> Work:
    """A whylogs profile of the file as a data frame."""
    import pandas as pd
    import whylogs as why

    return lambda: why.log(pd.read_csv(path)).view().to_pandas()


def evidently(path: Path) -> Work:
    """Evidently's data summary of the file as a data frame."""
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataSummaryPreset

    return lambda: Report([DataSummaryPreset()]).run(pd.read_csv(path), None).dict()


def spark(path: Path) -> Work:
    """Spark in one pass: counts, moments, extremes, approximate distinct counts and a KLL sketch for each number."""
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    def work() -> object:
        builder = SparkSession.builder.master("local[*]").config("spark.ui.enabled", "false")
        builder = builder.config("spark.driver.memory", "4g").config("spark.driver.bindAddress", "127.0.0.1")
        session = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        # Types come from the first row, so that Spark need not read the file twice to infer them.
        with path.open() as file:
            names, row = (file.readline().strip().split(",") for _ in range(2))
        numeric = [name for name, text in zip(names, row, strict=True) if text.replace(".", "", 1).isdigit()]
        schema = ", ".join(f"`{name}` {'double' if name in numeric else 'string'}" for name in names)
        asked = [f.count("*")]
        for name in names:
            asked += [f.count(name), f.approx_count_distinct(name)]
        for name in numeric:
            asked += [f.sum(name), f.avg(name), f.stddev_pop(name), f.min(name), f.max(name)]
            asked.append(f.expr(f"kll_sketch_agg_double(`{name}`)"))
        frame = session.read.csv(str(path), header=True, schema=schema)
        found = frame.agg(*(column.alias(f"a{at}") for at, column in enumerate(asked))).collect()
        gateway = session.sparkContext._gateway
        session.stop()
        # Wait for the virtual machine, so that its seconds and memory are counted.
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(60)
        return found

    return work


ENGINES = {
    "polars": polars,
    "analyzer": analyzer,
    "command": command,
    "whylogs": whylogs,
    "evidently": evidently,
    "spark": spark,
}


def used() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> None:
    """Run the pass that the arguments name."""
    work = ENGINES[sys.argv[1]](Path(sys.argv[2]))
    wall, cpu = time.perf_counter(), used()
    work()
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": used() - cpu}))


if __name__ == "__main__":
    main()
