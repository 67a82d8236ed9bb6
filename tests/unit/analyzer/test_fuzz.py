# ruff: noqa: PT017 - an error is one of two rightful outcomes here
"""Any bytes: either results that hold to their contract, or one sentence; never a traceback, never a part."""

import csv
import io
import json
import math
import os

import pytest

hypothesis = pytest.importorskip("hypothesis")
pytest.importorskip("jsonschema")
from hypothesis import HealthCheck, given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from monitor_analyzer import checks, constraints, documents, drift_report, shards, statistics  # noqa: E402
from monitor_analyzer.dataset import DatasetFormat, profile_dataset  # noqa: E402
from monitor_analyzer.errors import AnalyzerError  # noqa: E402

from tests.unit.analyzer.outcomes import of_dataset, one_sentence  # noqa: E402

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

nasty = st.sampled_from(
    [
        "",
        "1",
        "-1",
        "007",
        "1.5",
        "1e5",
        "1e308",
        "-1e308",
        "1e-320",
        "9" * 40,
        "NaN",
        "inf",
        "true",
        "é",
        '"',
        ",",
        "\n",
        " ",
    ]
)
text = st.one_of(nasty, st.text(max_size=6))


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_any_bytes(tmp_path, kind):
    """Random bytes in any format."""

    @FUZZ
    @given(st.binary(max_size=300), st.booleans())
    def check(content, header):
        path = tmp_path / f"data.{kind}"
        path.write_bytes(content)
        of_dataset(path, DatasetFormat(kind, header))

    check()


@FUZZ
@given(st.lists(st.tuples(text, text), min_size=1, max_size=40))
def test_any_table_reads_back_as_python_reads_it(tmp_path, rows):
    """Whatever a CSV writer writes is counted as Python's own reader and arithmetic count it."""
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(rows)
    path = tmp_path / "data.csv"
    path.write_text(buffer.getvalue(), encoding="utf-8", newline="")
    profile = of_dataset(path, DatasetFormat(header=False))
    if profile is None:
        return
    assert profile.item_count == len(rows)
    for index, column in enumerate(profile.columns):
        texts = [row[index] for row in rows]
        assert column.missing == texts.count("")
        assert sum(column.categories.values()) == len(texts) - texts.count("")
        if column.numeric:
            values = [float(value) for value in texts if value]
            assert column.numeric.count == len(values)
            assert (column.numeric.minimum, column.numeric.maximum) == (min(values), max(values))
            assert math.isclose(
                column.numeric.total, math.fsum(values), rel_tol=1e-9, abs_tol=1e-9 * max(map(abs, values))
            )


@FUZZ
@given(st.lists(st.lists(text, max_size=4), max_size=30), st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_joined_fields(tmp_path, rows, end):
    """Fields joined without quoting, ragged and with stray quotes."""
    path = tmp_path / "data.csv"
    path.write_bytes(end.join(",".join(row) for row in rows).encode("utf-8", "surrogatepass"))
    of_dataset(path, DatasetFormat(header=bool(len(rows) % 2)))


json_value = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=8,
)


@FUZZ
@given(st.lists(json_value, max_size=8))
def test_any_json_lines(tmp_path, values):
    """JSON values of any kind, one a line."""
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(json.dumps(value) for value in values), encoding="utf-8")
    of_dataset(path, DatasetFormat("json"))


@FUZZ
@given(st.lists(json_value, max_size=5), st.integers(0, 60), st.text('[]{},: \n"1a', max_size=3))
def test_any_json_array(tmp_path, values, cut, stray):
    """An array of any JSON values, cut anywhere, with stray marks in it."""
    text = json.dumps(values, indent=1)
    path = tmp_path / "data.json"
    path.write_text("[" + text[1:cut] + stray + text[cut:], encoding="utf-8")
    of_dataset(path, DatasetFormat("json"))


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A profile with its own statistics and constraints, to be damaged."""
    path = tmp_path_factory.mktemp("real") / "data.csv"
    path.write_text("a,s\n" + "".join(f"{index}.5,{'xy'[index % 2]}\n" for index in range(50)))
    profile = profile_dataset(path, DatasetFormat())
    return profile, statistics.document(profile), constraints.suggest(profile)


def damaged(document, path, value):
    """Return a copy with the value at a path of positions replaced."""
    copy = json.loads(json.dumps(document))
    node, steps = copy, list(path)
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return copy
        key = keys[steps.pop(0) % len(keys)]
        if not steps or not isinstance(node[key], dict | list):
            node[key] = value
            return copy
        node = node[key]


@FUZZ
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), json_value, st.booleans())
def test_any_damage_to_a_baseline(real, path, value, facts):
    """A baseline with any part replaced is used as it is or refused in one sentence."""
    profile, good, limits = real
    try:
        limit = constraints.parse(limits if facts else damaged(limits, path, value), "constraints.json")
        baseline = statistics.parse(damaged(good, path, value) if facts else good, "statistics.json")
        checks.violations(profile, limit, baseline)
        documents.dumps(drift_report.document(profile, baseline, frozenset()))
    except AnalyzerError as error:
        one_sentence(error)


@FUZZ
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), json_value)
def test_any_damage_to_a_shard(real, path, value):
    """A shard with any part replaced merges or is refused in one sentence."""
    good = shards.document(shards.Shard("a", ["a"], real[0], {}))
    try:
        shard = shards.parse(damaged(good, path, value), "shard.json")
        merged = shards.merge(shards.ordered([shard]))
        documents.dumps(statistics.document(merged))
    except AnalyzerError as error:
        one_sentence(error)


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_as_a_baseline(tmp_path, content):
    """A baseline file of any bytes is JSON or one error."""
    path = tmp_path / "constraints.json"
    path.write_bytes(content)
    try:
        constraints.parse(documents.read(path, "constraints.json"), str(path))
    except AnalyzerError as error:
        assert str(path) in str(error)
