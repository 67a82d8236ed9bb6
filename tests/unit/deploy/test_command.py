"""The shell of the commands: each is told its environment in the same way, and says in the same way what went wrong."""

import io
from types import SimpleNamespace

import pytest

from include.infrastructure import __main__ as deployment
from include.infrastructure import bundle, command, constraints, job_logs, template

COMMANDS = {
    "plan": lambda options: deployment.main(["plan", *options]),
    "constraints": lambda options: constraints.main(["churn", *options]),
    "logs": lambda options: job_logs.main(["churn/2026-03-03", *options]),
    "mwaa": lambda options: bundle.main(["build", *options]),
    "template": template.main,
}
NEEDS_AWS = ("plan", "constraints", "logs")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_environment_is_looked_for_in_the_folder_that_was_named(name, tmp_path, capsys):
    """Its own folder, with a message that names what is there."""
    (tmp_path / "night.yaml").write_text("name: night\n")
    assert COMMANDS[name](["--environment", "day", "--environments", str(tmp_path)]) == 1
    assert "There is no environment 'day'. Known are: night." in capsys.readouterr().err


@pytest.mark.parametrize("name", NEEDS_AWS)
def test_an_aws_that_does_not_answer_is_one_message(name, monkeypatch, capsys):
    """What happened, and what to look at; no traceback."""
    settings = {"ENDPOINT_URL": "http://127.0.0.1:9", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
    for key, value in {**settings, "MAX_ATTEMPTS": "1", "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{key}", value)
    assert COMMANDS[name]([]) == 1
    said = capsys.readouterr().err
    assert said.startswith("AWS refused or could not be reached: Could not connect")
    assert "Check AWS_ENDPOINT_URL" in said


@pytest.mark.parametrize("name", ["mwaa", "template", "policies"])
def test_a_folder_that_cannot_be_written_is_one_message(name, tmp_path, capsys):
    """Its name and what is wrong with it; a file where the folder should be stands for one without rights."""
    (tmp_path / "file").write_text("")
    commands = {**COMMANDS, "policies": lambda options: deployment.main(["policies", *options])}
    assert commands[name](["--out", str(tmp_path / "file" / "folder" / "out")]) == 1
    said = capsys.readouterr().err
    assert str(tmp_path / "file") in said
    assert "cannot be read or written" in said


def test_ctrl_c_says_that_the_same_command_goes_on(capsys):
    """No traceback, and the exit code that a shell expects."""

    def interrupted():
        raise KeyboardInterrupt

    assert command.run(interrupted) == 130
    assert "goes on" in capsys.readouterr().err


def test_no_answer_is_no_consent(monkeypatch):
    """Ctrl-D at a question."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert command.asked("Sure? ") == ""


def test_a_day_that_the_calendar_lacks_is_one_message(capsys):
    """It has the form of a day, so only the calendar can tell."""
    assert job_logs.main(["churn/2026-02-30"]) == 1
    assert "2026-02-30 is no day of the calendar" in capsys.readouterr().err


def test_logs_go_on_behind_an_empty_page():
    """CloudWatch may answer with an empty page before the end; the end is the same token twice."""
    event = {"timestamp": 1_772_000_000_000}
    pages = [
        ([{**event, "message": "one"}], "a"),
        ([], "b"),
        ([{**event, "message": "two"}], "c"),
        ([], "c"),
    ]
    answers = iter([{"events": events, "nextForwardToken": token} for events, token in pages])
    site = SimpleNamespace(logs=SimpleNamespace(get_log_events=lambda **_: next(answers)))
    assert [line.split()[1] for line in job_logs._events(site, "group", "stream")] == ["one", "two"]


def test_an_error_that_nobody_foresaw_is_not_hidden():
    """A defect of ours keeps its traceback."""

    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command.run(broken, KeyError)
