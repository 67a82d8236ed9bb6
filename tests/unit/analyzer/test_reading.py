# ruff: noqa: S311 - seeded data, nothing secret
"""Silent corruption is the enemy: each way a CSV can mislead has its rule or its error."""

import gzip

import pytest
from monitor_analyzer.dataset import DatasetFormat, profile_dataset, read_records
from monitor_analyzer.errors import AnalyzerError


def profiled(tmp_path, content, *, header=True):
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return profile_dataset(path, DatasetFormat(header=header))


def column(tmp_path, *texts):
    """Profile one column beside a constant one, so that an empty text is a missing value and no blank line."""
    return profiled(tmp_path, "v,k\n" + "".join(f"{text},1\n" for text in texts)).columns[0]


def failure(tmp_path, content, *, header=True):
    with pytest.raises(AnalyzerError) as caught:
        profiled(tmp_path, content, header=header)
    return caught.value


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "-2", "+3", " 4"], "Integral"),
        (["1", "2.5"], "Fractional"),
        (["6.0"], "Fractional"),
        (["007", "7"], "Integral"),
        (["1e5"], "Fractional"),
        (["1.5E-3"], "Fractional"),
        (["true", "false"], "String"),
        (["true", "1"], "String"),
        (["True", "False"], "String"),
        (["1", "NaN"], "String"),
        (["inf"], "String"),
        ([".5"], "String"),
        (["1."], "String"),
        (["1_000"], "String"),
        (["١٢"], "String"),
        (["1 "], "String"),
        (["- 5"], "String"),
        (["0x10"], "String"),
        (["", ""], "Unknown"),
        (["", "3"], "Integral"),
    ],
)
def test_type_follows_the_raw_text(tmp_path, texts, kind):
    """The container's rules decide by the text as it stands, not by what a parser could make of it."""
    assert column(tmp_path, *texts).inferred_type == kind


def test_a_late_float_makes_the_whole_column_fractional(tmp_path):
    """A float in row 50,001 changes the type and is added exactly, not rounded."""
    found = column(tmp_path, *["1"] * 50_000, "1.5")
    assert found.inferred_type == "Fractional"
    assert found.numeric.total == 50_001.5
    assert found.numeric.maximum == 1.5


def test_a_late_text_makes_the_whole_column_string(tmp_path):
    """One text in row 50,001 is found; the counts of types stay exact."""
    found = column(tmp_path, *["1"] * 50_000, "x")
    assert (found.inferred_type, found.numeric) == ("String", None)
    assert (found.types.integral, found.types.string) == (50_000, 1)


def test_leading_zeros_are_distinct_texts_of_one_number(tmp_path):
    """`007` and `7` are the same number and two distinct texts, as for the container."""
    found = column(tmp_path, "007", "7")
    assert (found.numeric.minimum, found.numeric.maximum, found.distinct) == (7.0, 7.0, 2)


def test_sixty_bit_ids_do_not_overflow(tmp_path):
    """Sums run in doubles as Spark's do: ids of 60 bits add up to what pandas' floats give."""
    ids = [2**60 - index for index in range(100)]
    found = column(tmp_path, *ids)
    expected = 0.0
    for value in ids:
        expected += float(value)
    assert found.inferred_type == "Integral"
    assert found.numeric.total == expected
    assert found.distinct >= 95


def test_moments_agree_with_exact_arithmetic(tmp_path):
    """Mean and deviation of 17-digit floats agree with rational arithmetic to 1e-12."""
    import random
    from fractions import Fraction
    from math import sqrt

    generator = random.Random(5)
    values = [generator.lognormvariate(0, 2) for _ in range(3000)]
    found = column(tmp_path, *map(repr, values)).numeric
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact)
    assert found.mean == pytest.approx(float(mean), rel=1e-12)
    assert found.std_dev == pytest.approx(sqrt(variance), rel=1e-12)


def test_byte_order_mark_is_not_part_of_the_first_name(tmp_path):
    """A BOM before the header belongs to no name and to no value."""
    assert profiled(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n").columns[0].name == "a"
    assert profiled(tmp_path, b"\xef\xbb\xbf1,2\n", header=False).columns[0].inferred_type == "Integral"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_ending_is_read_alike(tmp_path, end):
    """LF, CRLF and CR give the same profile; no carriage return sticks to a value."""
    found = profiled(tmp_path, end.join(["a,b", "1,x", "2,y", ""]))
    assert found.item_count == 2
    assert found.columns[0].inferred_type == "Integral"
    assert found.columns[1].categories == {"x": 1, "y": 1}


def test_quotes_keep_commas_newlines_and_quotes(tmp_path):
    """A quoted field holds commas, line breaks and doubled quotes as one value."""
    found = profiled(tmp_path, 'a,b\n"x,1\n""y""",2\n')
    assert found.item_count == 1
    assert found.columns[0].categories == {'x,1\n"y"': 1}


def test_missing_is_an_empty_field_quoted_or_not(tmp_path):
    """Both `,,` and `,"",` are missing values; a space is not."""
    found = profiled(tmp_path, 'a,b\n,1\n"",2\n" ",3\n').columns[0]
    assert (found.missing, found.present) == (2, 1)


def test_blank_lines_are_skipped(tmp_path):
    """Blank lines are no rows, as for Spark."""
    assert profiled(tmp_path, "a\n1\n\n  \n2\n\n").item_count == 2


def test_header_names_are_made_unique_as_spark_does(tmp_path):
    """An empty name becomes its position; names that differ in case only get their position appended."""
    names = [item.name for item in profiled(tmp_path, "a,,A\n1,2,3\n").columns]
    assert names == ["a0", "_c1", "A2"]


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (b"", "data.csv", "empty"),
        (b"\n\n", "data.csv", "no rows"),
        (b"a,b\n", "data.csv", "no rows"),
        (b"a,b\n1,2\n1\n", "data.csv:3:2", "1 field, the first row has 2"),
        (b"a,b\n1,2,3\n", "data.csv:2:3", "3 fields, the first row has 2"),
        (b"a,b\n1,2\n1,caf\xe9\n", "data.csv:3:6", "0xe9 is not UTF-8"),
        (b'a,b\n1,"2\n3,4\n', "data.csv:2", "quote that is not closed"),
        (b'a,b\n1,"2"x\n', "data.csv:2", "not valid CSV"),
        (gzip.compress(b"a,b\n1,2\n"), "data.csv:1:1", "gzip"),
        (b"PAR1....", "data.csv:1:1", "Parquet"),
        ("a,b\n1,2\n".encode("utf-16"), "data.csv:1:1", "UTF-16"),
        (b"a\n1\n1e999\n", "data.csv:3:1", "beyond what a double"),
        (b"a,a0,A\n1,2,3\n", "data.csv:1:2", "two columns are called 'a0'"),
    ],
)
def test_broken_files_end_in_one_error_with_its_place(tmp_path, content, where, what):
    """What cannot be read rightly is an error that names file, line and column."""
    error = failure(tmp_path, content)
    assert f"{tmp_path}/{where}:" in str(error)
    assert what in str(error)
    assert "\n" not in str(error)


def test_several_files_are_one_dataset(tmp_path):
    """The files of a folder are read in the order of their names; markers are passed over."""
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    (folder / "b.csv").write_text("a,b\n2,y\n")
    (folder / "a.csv").write_text("a,b\n1,x\n")
    (folder / "deeper" / "c.csv").write_text("a,b\n3,z\n")
    (folder / "_SUCCESS").write_text("")
    (folder / ".crc").write_text("junk")
    found = profile_dataset(folder, DatasetFormat())
    assert found.item_count == 3
    assert found.columns[0].numeric.levels == [[1.0, 2.0, 3.0]]
    assert read_records(folder, DatasetFormat(), ["b"]) == {"b": ["x", "y", "z"]}


def test_files_with_other_columns_are_refused(tmp_path):
    """Files of one dataset must agree on their columns, or values would be mixed."""
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("b,a\n1,2\n")
    with pytest.raises(AnalyzerError, match=r"b\.csv:1: the columns differ"):
        profile_dataset(tmp_path, DatasetFormat())


def test_an_absent_dataset_is_named(tmp_path):
    """A missing folder and an empty one are told apart."""
    with pytest.raises(AnalyzerError, match="does not exist"):
        profile_dataset(tmp_path / "nowhere", DatasetFormat())
    with pytest.raises(AnalyzerError, match="no data file"):
        profile_dataset(tmp_path, DatasetFormat())


@pytest.mark.parametrize("text", ["", "csv", "[]", '{"csv": {"header": 3}}', '{"avro": {}}', '{"csv": [1]}'])
def test_a_wrong_dataset_format_shows_the_right_ones(text):
    """The message shows how a dataset_format looks."""
    with pytest.raises(AnalyzerError, match="dataset_format"):
        DatasetFormat.parse(text)
