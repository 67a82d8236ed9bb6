"""The check against a real account, as far as it goes without one: its estimate, its comparison, its refusals."""

import contextlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from include.infrastructure.environment import load_environment
from local import aws_check
from local.aws import LocalAws
from local.errors import HouseError


def test_the_estimate_follows_machines_and_prices():
    """Dearer machines cost more, and a machine without a price is told instead of counted as free."""
    prices = {"ml.t3.medium": 0.06, "ml.m5.large": 0.12}
    total, lines = aws_check.estimate(load_environment("dev"), prices)
    assert total == pytest.approx((6 * 0.06 + 0.12 + 0.12) * 5 / 60)
    assert len(lines) == 3
    with pytest.raises(HouseError, match=r"ml\.m5\.2?xlarge has no price"):
        aws_check.estimate(load_environment("prod"), prices)


def test_a_field_that_one_side_lacks_is_named():
    """Types and paths are compared, values and the order of lists are not."""
    answer = {"Arn": "a", "Tags": [{"Key": "k"}, {"Key": "l", "Value": "v"}], "At": datetime(2026, 3, 3, tzinfo=UTC)}
    local = {"job": sorted(aws_check.shape({**answer, "ResponseMetadata": {"RequestId": "x"}}))}
    assert local["job"] == ["Arn: str", "At: datetime", "Tags[].Key: str", "Tags[].Value: str"]
    assert aws_check.differences(local, {"job": sorted(aws_check.shape({**answer, "Arn": "b"}))}) == []
    aws = {"job": sorted(aws_check.shape({"Arn": "a", "At": 1.5})), "step": ["Name: str"]}
    assert aws_check.differences(local, aws) == [
        "job: only on AWS: At: float",
        "job: only local: At: datetime",
        "job: only local: Tags[].Key: str",
        "job: only local: Tags[].Value: str",
        "step: only on AWS: Name: str",
    ]


def test_nothing_is_done_without_consent(capsys):
    """The cost is shown first; where nobody can answer, nothing happens."""
    assert aws_check.main(["--environment", "dev"]) == 1
    said = capsys.readouterr().out
    assert "USD in account 111122223333" in said
    assert "Nothing was done." in said


def test_the_laptop_is_no_account(capsys):
    """ENV=local would compare the local SageMaker with itself."""
    assert aws_check.main(["--environment", "local", "--yes"]) == 1
    assert "local is no account" in capsys.readouterr().err


def test_several_machines_cost_more():
    """The estimate is shown before anything is done, so it is rather too high than too low."""
    one = load_environment("dev")
    two = one.model_copy(update={"instance_counts": one.instance_counts.model_copy(update={"monitoring": 2})})
    prices = {"ml.t3.medium": 0.06, "ml.m5.large": 0.12}
    assert aws_check.estimate(two, prices)[0] - aws_check.estimate(one, prices)[0] == pytest.approx(6 * 0.06 * 5 / 60)


class Infrastructure:
    """Answers each verb as it is told to, and remembers what it was asked."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    def __call__(self, verb, name, *others, capture=False):
        self.asked.append(verb)
        code, said, complained = self.answers.get(verb, (0, "", ""))
        return subprocess.CompletedProcess([name, *others, capture], code, said, complained)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ((1, "missing       bucket               b\n", "AWS refused: AccessDenied on GetRole"), "AccessDenied"),
        ((1, "", "Unable to locate credentials"), "Unable to locate credentials"),
        ((1, "missing       bucket  b\nready         role   r\ndev: 1 missing, 1 ready.\n", ""), "deployed already"),
    ],
)
def test_an_account_that_was_not_read_to_the_end_is_left_alone(status, reason, monkeypatch):
    """What was not looked at may be in use, and the check ends by removing everything, data too."""
    infrastructure = Infrastructure(status=status)
    monkeypatch.setattr(aws_check, "_infrastructure", infrastructure)
    with pytest.raises(HouseError, match=reason):
        aws_check.on_account(load_environment("dev"))
    assert infrastructure.asked == ["status"]


def test_what_could_not_be_removed_is_told(monkeypatch, capsys):
    """It goes on costing; the command that removes it stands there."""
    infrastructure = Infrastructure(status=(1, "dev: 12 missing.\n", ""), destroy=(1, "", ""))
    monkeypatch.setattr(aws_check, "_infrastructure", infrastructure)
    monkeypatch.setattr(aws_check, "_side", lambda *_: {})
    with pytest.raises(HouseError, match="without a comparison"):
        aws_check.on_account(load_environment("dev"))
    assert infrastructure.asked == ["status", "apply", "destroy"]
    assert "make deploy ACTION=destroy ENV=dev ARGS=--data" in capsys.readouterr().err


def test_the_local_half_gets_nothing_of_the_persons_aws(monkeypatch):
    """A profile would be looked for in no file, a token would not fit the key; the account's half needs both."""
    given = []
    monkeypatch.setattr(subprocess, "run", lambda *_, env, **__: given.append(env))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    aws_check._module("m", variables={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    aws_check._module("m", variables={})
    here, there = given
    assert "AWS_PROFILE" not in here
    assert "AWS_SESSION_TOKEN" not in here
    assert here["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert (there["AWS_PROFILE"], there["AWS_SESSION_TOKEN"]) == ("mine", "token")


def test_the_local_half_runs_the_environments_own_definitions(monkeypatch):
    """By its account and region: the laptop's environment may have another engine, and so other steps."""
    target = load_environment("prod")
    started, sides = [], []
    infrastructure = Infrastructure()
    supervisor = SimpleNamespace(launch=started.append, wait_ready=lambda _: 0.0)
    aws = LocalAws(Path("state"), Path("venv"), 1, Path("runtimes"), {})
    house = SimpleNamespace(aws=aws, supervisor=supervisor, logs=Path("logs"))
    monkeypatch.setattr(aws_check, "House", lambda *_: contextlib.nullcontext(house))
    monkeypatch.setattr(
        aws_check, "_infrastructure", lambda verb, name, *, variables: infrastructure(verb, name, *variables)
    )
    monkeypatch.setattr(aws_check, "_side", lambda name, _, variables: sides.append((name, variables)) or {})
    assert aws_check.on_laptop(target) == {}
    (spec,) = started
    assert spec.command[-4:] == ["--account", "777788889999", "--region", "eu-central-1"]
    assert infrastructure.asked == ["apply"]
    ((name, variables),) = sides
    assert name == "prod"
    assert (variables["AWS_ACCESS_KEY_ID"], variables["AWS_REGION"]) == ("777788889999", "eu-central-1")
