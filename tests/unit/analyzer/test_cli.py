"""What a person types and reads."""

import io
import json

import pytest
from monitor_analyzer import cli, terminal

ROWS = [["age", "state"], *[[20 + index % 50, "NY" if index % 2 else "OH"] for index in range(500)]]


def test_help_names_every_command(capsys):
    """--help lists container, profile and compare, each with a sentence."""
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for command in ("container", "profile", "compare"):
        assert command in text


def test_profile_shows_a_table_and_writes_files(write_csv, tmp_path, capsys):
    """`profile FILE --output DIR` prints a line per column and writes both contract files."""
    assert cli.main(["profile", str(write_csv(ROWS)), "--output", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "500 rows, 2 columns"
    assert lines[3].split()[:3] == ["age", "Integral", "0.0%"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["constraints.json", "statistics.json"]


@pytest.mark.parametrize("from_folder", [True, False])
def test_compare_takes_a_baseline_folder_or_a_file(write_csv, tmp_path, capsys, from_folder):
    """Violations exit with 3 and are printed; a clean file exits with 0."""
    baseline = str(write_csv(ROWS, "before.csv"))
    if from_folder:
        cli.main(["profile", baseline, "--output", str(tmp_path / "out")])
        baseline = str(tmp_path / "out")
    assert cli.main(["compare", baseline, str(write_csv(ROWS, "same.csv"))]) == 0
    capsys.readouterr()
    changed = write_csv([["age", "state"], *[["x", "ZZ"]] * 100], "changed.csv")
    assert cli.main(["compare", baseline, str(changed)]) == 3
    text = capsys.readouterr().out
    assert "age: Data type match requirement is not met." in text
    assert "state" in text


def test_compare_prints_json_for_programs(write_csv, capsys):
    """--json prints both reports as one JSON document, without values of sensitive columns."""
    path = str(write_csv(ROWS))
    assert cli.main(["compare", path, path, "--json", "--sensitive", "state"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert sorted(shown) == ["constraint_violations", "drift_report"]
    assert "OH" not in json.dumps(shown)


@pytest.mark.parametrize("command", ["profile", "compare"])
def test_a_sensitive_column_that_is_none_is_refused(write_csv, tmp_path, capsys, command):
    """A name that is spelled wrongly would let through what it was meant to withhold; nothing is written."""
    files = [str(write_csv(ROWS))] * (1 if command == "profile" else 2)
    assert cli.main([command, *files, "--sensitive", "age,State", "--output", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr()
    assert "'State'" in shown.err
    assert shown.out == ""
    assert not (tmp_path / "out").exists()


def test_one_is_not_written_as_many(write_csv, capsys):
    """A file of one row and one column is said to have one of each."""
    assert cli.main(["profile", str(write_csv([["age"], ["3"]]))]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "1 row, 1 column"


def test_an_error_is_one_sentence(tmp_path, capsys):
    """A wrong file ends in 1 and one line on standard error."""
    assert cli.main(["profile", str(tmp_path / "nowhere.csv")]) == 1
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert text.endswith("nowhere.csv: there is no such file or folder.\n")


def test_the_bar_shows_on_a_terminal_after_a_second_only(tmp_path, monkeypatch):
    """Short work and pipes see no bar; long work on a terminal does, and it is taken away."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    path = tmp_path / "data"
    path.write_bytes(b"x" * 1000)
    clock = iter([0.0, 0.5, 2.0, 3.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    stream = Terminal()
    bar = terminal.Progress([path], stream)
    bar.at(100)
    assert stream.getvalue() == ""
    bar.at(500)
    assert "50%" in stream.getvalue()
    bar.close()
    assert stream.getvalue().endswith("\r")
