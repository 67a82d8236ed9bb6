# ruff: noqa: S311 - seeded data, nothing secret
"""The compiled engine gives what Python gives, field by field, or stands back."""

import csv
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from monitor_analyzer import compiled, statistics
from monitor_analyzer.csv_file import CsvFile
from monitor_analyzer.dataset import DatasetFormat, profile_dataset
from monitor_analyzer.errors import AnalyzerError
from monitor_analyzer.inference import BOOLEAN, FRACTIONAL, INTEGRAL, STRING, classify

np = pytest.importorskip("numpy")
pytest.importorskip("numba")
hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402

WATCHED = {"_c0": ["x", "1", "é"], "a": ["7"]}


@pytest.fixture(scope="module", autouse=True)
def kernels():
    """Compile once; later runs take the kernels from the cache."""
    return compiled.load_kernels()


def both(path, *, header=True, monkeypatch=None, buffer=None):
    """Return what Python makes of a file and what the compiled engine makes of it (None: it stands back)."""
    if buffer:
        monkeypatch.setattr(compiled, "BUFFER", buffer)
        monkeypatch.setattr(compiled, "CELLS", 256)
    monkeypatch.setenv(compiled.SETTING, "python")
    try:
        slow = profile_dataset(path, DatasetFormat(header=header), WATCHED)
    except AnalyzerError as error:
        slow = error
    try:
        file = CsvFile(path, header=header)
    except AnalyzerError:
        return slow, None
    try:
        return slow, compiled.profile_files([file], WATCHED)
    except AnalyzerError as error:
        return slow, error


def test_large_tables_are_equal_to_the_last_bit(tmp_path, monkeypatch):
    """20,000 rows of every kind of text, over many chunks: counts, moments, sketch, categories, distinct."""
    generator = random.Random(7)
    kinds = [
        lambda i: generator.randrange(200),
        lambda i: repr(generator.gauss(0, 1e6)),
        lambda i: f"{generator.lognormvariate(0, 3):.2f}",
        lambda i: generator.choice(["NY", "OH", 'a "quote"', "two\nlines", "é", ""]),
        lambda i: f"id{i}",
        lambda i: generator.choice(["007", "7", "-7", "+7", " 7", "", "1e5", "-0.0", "0"]),
        lambda i: i if i < 19_000 else 1.5,
        lambda i: i if i < 19_000 else "late",
        lambda i: 2**60 - i,
        lambda i: "true" if i % 2 else "false",
        lambda i: repr(10.0 ** generator.uniform(-140, 140)),
    ]
    path = tmp_path / "data.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", *(f"k{index}" for index in range(1, len(kinds)))])
        for row in range(20_000):
            writer.writerow([kind(row) for kind in kinds])
    slow, fast = both(path, monkeypatch=monkeypatch, buffer=4096)
    assert fast is not None
    assert fast.item_count == slow.item_count == 20_000
    for mine, theirs in zip(fast.columns, slow.columns, strict=True):
        assert vars(mine) == vars(theirs), mine.name


def test_numbers_parse_as_python_parses_them(tmp_path, monkeypatch, kernels):
    """A hundred thousand decimal texts of all lengths and powers give Python's doubles, bit for bit."""
    generator = random.Random(9)
    texts = []
    for _ in range(100_000):
        digits = str(generator.randrange(10 ** generator.randrange(1, 22)))
        point = generator.randrange(len(digits) + 1)
        text = f"{digits[:point] or '0'}.{digits[point:] or '0'}"
        texts.append(text + (f"e{generator.randrange(-70, 50)}" if generator.random() < 0.3 else ""))
    texts += ["9007199254740993.0", "9007199254740992.5", "1e23", "8.5e-45", "123456789012345678.5", "0.1e-30"]
    texts += [
        "1234567.25",
        "0.000000000000000000000123",
        "9" * 19,
        "9" * 20,
        "0" * 30 + "7.5",
        "0." + "3" * 24,
        "5e-324",
    ]
    room = np.zeros(200, np.uint8)
    uncertain = 0
    for text in texts:
        for sign in ("", "-"):
            written = f"{sign}{text}".encode()
            # What follows a text in its buffer is another text: it must not be read.
            room[:] = ord("7")
            room[: len(written)] = np.frombuffer(written, np.uint8)
            kind, certain, number = kernels.parse(room.ctypes.data, len(written))
            assert kind == (kernels.INTEGRAL if text.isdigit() else kernels.FRACTIONAL), text
            uncertain += not certain
            if certain:
                assert number == float(written), text
    assert uncertain < len(texts) / 2


def test_what_is_no_number_is_no_number(kernels):
    """Texts near to numbers are classified as the rules of `inference.py` say, whatever stands behind them."""
    generator = random.Random(13)
    room = np.zeros(64, np.uint8)
    kinds = [INTEGRAL, FRACTIONAL, BOOLEAN, STRING]
    for _ in range(100_000):
        text = "".join(
            generator.choices("0123456789.-+eE x", [5] * 10 + [6, 2, 2, 2, 1, 1, 1], k=generator.randrange(1, 26))
        )
        room[:] = ord(generator.choice("0.e,"))
        room[: len(text)] = np.frombuffer(text.encode(), np.uint8)
        assert kinds[kernels.parse(room.ctypes.data, len(text))[0]] == classify(text), text


def test_skewed_and_tied_values_sort_right(kernels):
    """The spreading sort equals a stable sort on skewed, tied, constant, tiny and huge values."""
    generator = random.Random(11)
    spare, places = np.zeros(kernels.LEVEL_ROOM), np.zeros(kernels.LEVEL_ROOM + 1, np.uint32)
    where = np.zeros(kernels.LEVEL_ROOM, np.uint16)
    samples = [
        [generator.lognormvariate(0, 8) for _ in range(2050)],
        [generator.choice([0.0, -0.0, 1.0, 1e300, -1e300]) for _ in range(2050)],
        [5.0] * 100,
        [1e-320, 2e-320, 0.0],
        [float(value) for value in range(3000, 0, -1)],
        [-1.7e308, 1.7e308, 0.0],
    ]
    for values in samples:
        items = np.array(values)
        kernels.spread_sort(items, len(values), spare, places, where)
        assert list(map(repr, items.tolist())) == list(map(repr, sorted(values)))


nasty = st.sampled_from(
    [
        "",
        "1",
        "-1",
        "007",
        "1.5",
        "1e5",
        "1e308",
        "9" * 40,
        "NaN",
        "true",
        "é",
        '"',
        '""',
        "x",
        "\n",
        "\r",
        " ",
        '"a"',
        "\x00",
    ]
)
FUZZ = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def same(slow, fast):
    if fast is None:
        return
    if isinstance(slow, AnalyzerError):
        assert isinstance(fast, AnalyzerError) or not fast.item_count
        return
    assert fast.item_count == slow.item_count
    assert [vars(column) for column in fast.columns] == [vars(column) for column in slow.columns]


@FUZZ
@given(
    rows=st.lists(st.lists(nasty, min_size=1, max_size=3), max_size=30),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    header=st.booleans(),
)
def test_any_joined_fields_agree(tmp_path, rows, end, header):
    """Fields joined without quoting: equal results, or the compiled engine stands back."""
    path = tmp_path / "data.csv"
    path.write_bytes(end.join(",".join(row) for row in rows).encode())
    with pytest.MonkeyPatch.context() as patch:
        same(*both(path, header=header, monkeypatch=patch, buffer=64))


@FUZZ
@given(
    rows=st.lists(st.tuples(nasty, nasty), min_size=1, max_size=40),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_any_written_table_agrees(tmp_path, rows, quoting):
    """What a CSV writer writes gives equal results; only a number beyond a double lets it stand back."""
    buffer = io.StringIO()
    csv.writer(buffer, quoting=quoting).writerows(rows)
    path = tmp_path / "data.csv"
    path.write_text(buffer.getvalue(), encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        slow, fast = both(path, header=False, monkeypatch=patch, buffer=256)
    same(slow, fast)


@pytest.mark.parametrize("content", [b"a,b\n1,2\n1\n", b"a,b\n1,caf\xe9\n", b'a,b\n1,"2\n', b"a\n1e999\n"])
def test_damage_is_left_to_python(tmp_path, monkeypatch, content):
    """A damaged file makes the compiled engine stand back, and the dataset's error is Python's, with its place."""
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    slow, fast = both(path, monkeypatch=monkeypatch)
    assert fast is None
    monkeypatch.setenv(compiled.SETTING, "compiled")
    with pytest.raises(AnalyzerError) as caught:
        profile_dataset(path, DatasetFormat())
    assert str(caught.value) == str(slow)


def test_several_files_make_one_profile(tmp_path, monkeypatch):
    """Row order runs through all files, each with its own header, one without a final newline."""
    (tmp_path / "a.csv").write_text("a,b\n" + "".join(f"{i},x\n" for i in range(3000)))
    (tmp_path / "b.csv").write_text("a,b\n" + "\n".join(f"{-i},y" for i in range(3000)))
    results = []
    for engine in ("python", "compiled"):
        monkeypatch.setenv(compiled.SETTING, engine)
        results.append(profile_dataset(tmp_path, DatasetFormat()))
    assert results[0] == results[1]
    assert results[1].item_count == 6000


def test_small_files_and_foreign_caches_stay_with_python(tmp_path, monkeypatch):
    """The compiled engine is not woken for a small file, and a cache that others may write is not used."""
    monkeypatch.delenv(compiled.SETTING, raising=False)
    assert compiled.wanted(1_000_000) is False
    shared = tmp_path / "cache"
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)
    monkeypatch.setenv("MONITOR_ANALYZER_CACHE", str(shared))
    assert compiled.cache_folder() is None
    assert compiled.wanted(compiled.COLD_BYTES - 1) is False
    assert compiled.wanted(compiled.COLD_BYTES) is True


def test_without_numba_the_results_are_the_same(tmp_path, monkeypatch):
    """An image that carries no package at all gives the same documents, also when the compiled engine is asked for."""
    generator = random.Random(17)
    path = tmp_path / "data.csv"
    path.write_text("a,b,c\n" + "".join(f"{generator.gauss(0, 1)!r},{row % 7},s{row % 50}\n" for row in range(5000)))
    monkeypatch.setenv(compiled.SETTING, "compiled")
    here = statistics.document(profile_dataset(path, DatasetFormat()))
    done = subprocess.run(
        [sys.executable, "-S", "-m", "monitor_analyzer", "profile", str(path), "--json"],
        env={**os.environ, "PYTHONPATH": str(Path(compiled.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout) == here
