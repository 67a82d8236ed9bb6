"""The shell of the commands: each is told its environment in the same way, and says in the same way what went wrong."""

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


def test_an_error_that_nobody_foresaw_is_not_hidden():
    """A defect of ours keeps its traceback."""

    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command.run(broken, KeyError)
