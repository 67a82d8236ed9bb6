"""`make fuzz`: any bytes as CSV, JSON lines, Parquet, constraints.json and statistics.json, led by coverage (atheris).

The first byte says what the rest claims to be. What must come of it stands in tests/unit/analyzer/outcomes.py; of CSV,
the Python engine and the compiled one must come to the same. Inputs that reach new code are kept in .local/fuzz/corpus,
so a later run goes on from there; one that breaks something is kept as .local/fuzz/crash-*, and given as an argument
it is tried again.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

import atheris

REPO = Path(__file__).resolve().parents[2]
HOME = REPO / ".local" / "fuzz"
LONGEST = 4096
ENGINE = "MONITOR_ANALYZER_ENGINE"
sys.path[:0] = [str(REPO), str(REPO / "include" / "pipeline_scripts")]
os.environ[ENGINE] = "python"
with atheris.instrument_imports(include=["monitor_analyzer"]):
    outcomes = importlib.import_module("tests.unit.analyzer.outcomes")
from monitor_analyzer import compiled, constraints, documents, statistics  # noqa: E402 - after their instrumentation
from monitor_analyzer.dataset import DatasetFormat, profile_dataset  # noqa: E402
from monitor_analyzer.errors import AnalyzerError  # noqa: E402

# As libFuzzer's dictionary spells them.
TOKENS = (
    *('\\"', ",", "\\x0d\\x0a", "\\xef\\xbb\\xbf", "\\xff", "\\x00", "{", "}", "[", "]", ":", "null", "PAR1"),
    *("NaN", "1e308", "1e-320", "007", "0.5", "True"),
    *("version", "features", "inferred_type", "completeness", "item_count"),
)
CSV = 'a,s\n1.5,x\n2,"y ""z"""\n,\n'
JSON_LINES = '{"a": 1.5, "s": "x"}\n{"a": null, "s": "y"}\n'
KINDS: tuple[tuple[str, DatasetFormat | None], ...] = (
    ("data.csv", DatasetFormat("csv", header=True)),
    ("data.csv", DatasetFormat("csv", header=False)),
    ("data.jsonl", DatasetFormat("json")),
    ("data.json", DatasetFormat("json")),
    ("data.parquet", DatasetFormat("parquet")),
    ("constraints.json", None),
    ("statistics.json", None),
)


def told(path: Path, dataset_format: DatasetFormat, engine: str) -> str:
    """Return what an engine says of a file: its statistics, or its one sentence."""
    os.environ[ENGINE] = engine
    try:
        return documents.dumps(statistics.document(profile_dataset(path, dataset_format)))
    except AnalyzerError as error:
        return str(error)
    finally:
        os.environ[ENGINE] = "python"


class Target:
    """Tries an input. The folder holds the file that it is written to, and a good baseline."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        sample = folder / "sample.csv"
        sample.write_text(CSV)
        self.profile = profile_dataset(sample, DatasetFormat())
        self.good = {
            "constraints.json": json.dumps(constraints.suggest(self.profile)),
            "statistics.json": json.dumps(statistics.document(self.profile)),
        }
        for name, text in self.good.items():
            (folder / f"good-{name}").write_text(text)
        self.both_engines = compiled.wanted(compiled.COLD_BYTES)

    def __call__(self, content: bytes) -> None:
        """Raise whatever is neither a result nor one sentence."""
        if not content:
            return
        name, dataset_format = KINDS[content[0] % len(KINDS)]
        path = self.folder / name
        path.write_bytes(content[1:])
        if dataset_format is None:
            given = {part: path if part == name else self.folder / f"good-{part}" for part in self.good}
            outcomes.of_baseline(self.profile, given["statistics.json"], given["constraints.json"])
            return
        outcomes.of_dataset(path, dataset_format)
        if dataset_format.kind == "csv" and self.both_engines:
            assert told(path, dataset_format, "compiled") == told(path, dataset_format, "python")

    def seeds(self) -> list[bytes]:
        """Return a good file of each kind."""
        import pyarrow as pa
        from pyarrow import parquet

        sink = pa.BufferOutputStream()
        parquet.write_table(pa.table({"a": [1.5, None, 2.0], "s": ["x", "y", None], "i": [1, 2, 3]}), sink)
        contents = {
            "data.csv": CSV.encode(),
            "data.jsonl": JSON_LINES.encode(),
            "data.json": b"[" + JSON_LINES.strip().replace("\n", ",").encode() + b"]",
            "data.parquet": sink.getvalue().to_pybytes(),
            **{name: text.encode() for name, text in self.good.items()},
        }
        return [bytes([number]) + contents[name] for number, (name, _) in enumerate(KINDS)]


def main() -> None:
    """Fuzz for a time, or try the given inputs again; libFuzzer ends the process, with 77 when something broke."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("inputs", nargs="*", type=Path, help="inputs to try again, such as .local/fuzz/crash-...")
    given = parser.parse_args()
    corpus, tokens = HOME / "corpus", HOME / "tokens"
    corpus.mkdir(parents=True, exist_ok=True)
    tokens.write_text("".join(f'"{token}"\n' for token in TOKENS))
    with tempfile.TemporaryDirectory(prefix="batch-fuzz-") as folder:
        target = Target(Path(folder))
        for number, seed in enumerate(target.seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        bounds = [f"-max_total_time={given.seconds}", f"-max_len={LONGEST}", "-timeout=30", "-rss_limit_mb=2048"]
        where = [f"-artifact_prefix={HOME}/", f"-dict={tokens}", "-print_final_stats=1"]
        asked = [str(path) for path in given.inputs] or [str(corpus)]
        atheris.Setup([sys.argv[0], *bounds, *where, *asked], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
