"""Ports, directories and settings of a house, without starting one."""

import socket
import urllib.error
import urllib.request
from datetime import UTC, date, datetime, timedelta

import pytest

from local import environment, inboxpage, material, secretfile, testing
from local.alertbox import Alert
from local.errors import HouseError
from local.house import RECORD, House, Ports, running
from local.ports import LOOPBACK, free_port, require_free
from local.processes import Spec


def test_a_taken_port_is_named_with_the_variable_that_moves_it():
    """The error says which port, who needs it, and what to type."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(HouseError, match=rf"Port {port}, which Airflow needs(.|\n)*AIRFLOW_PORT="):
            require_free(port, "Airflow", "AIRFLOW_PORT")


def test_a_house_in_use_is_refused(tmp_path):
    """Two supervisors never share a directory."""
    with House(tmp_path, Ports.free()), pytest.raises(HouseError, match="in use already"):
        House(tmp_path, Ports.free()).take()


def test_who_is_refused_a_house_leaves_it_as_it_is(tmp_path):
    """Giving up ends what one has started, and nothing that another runs there."""
    with House(tmp_path, Ports.free()) as house:
        living = house.supervisor.start(Spec("living", ["sleep", "60"], {}, tmp_path / "living.log", tmp_path))
        (tmp_path / RECORD).write_text("{}")
        late = House(tmp_path, Ports.free())
        with pytest.raises(HouseError, match="in use already"):
            late.take()
        late.stop()
        assert living.process.poll() is None
        assert (tmp_path / RECORD).exists()
    assert living.process.poll() is not None


def test_only_a_house_is_emptied(tmp_path):
    """A folder that no house made keeps its files."""
    treasure = tmp_path / "treasure.txt"
    treasure.write_text("mine")
    with pytest.raises(HouseError, match="never a house"):
        House(tmp_path, Ports.free()).empty()
    assert treasure.exists()


def test_a_house_that_was_used_is_emptied(tmp_path):
    """The demo starts from nothing."""
    with House(tmp_path, Ports.free()) as house:
        (house.logs / "old.log").write_text("old")
    House(tmp_path, Ports.free()).empty()
    assert [item.name for item in tmp_path.iterdir()] == ["lock"]


def test_no_house_is_running_where_none_was_started(tmp_path):
    """`make deploy` says what to type first."""
    with pytest.raises(HouseError, match="make up"):
        running(tmp_path)


@pytest.mark.parametrize("value", ["eighty", "0", "70000"])
def test_a_port_variable_that_is_no_port_is_refused(monkeypatch, value):
    """A typo in AWS_PORT is told as such."""
    monkeypatch.setenv("AWS_PORT", value)
    with pytest.raises(HouseError, match=f"AWS_PORT={value}"):
        Ports.from_environment()


def test_secrets_are_made_once_and_for_their_owner_alone(tmp_path):
    """A second start logs in with the same password, which nobody else can read."""
    file = tmp_path / "secrets.json"
    first = secretfile.load(file)
    assert secretfile.load(file) == first
    assert file.stat().st_mode & 0o777 == 0o600


def test_nothing_of_the_persons_aws_and_airflow_settings_gets_in(monkeypatch):
    """A profile or a key of a real account never reaches what runs here."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    variables = {**environment.base(), **environment.aws("http://127.0.0.1:1")}
    assert "AWS_PROFILE" not in variables
    assert variables["AWS_ACCESS_KEY_ID"] == "local"
    assert not any(name.startswith("AIRFLOW__") for name in variables)


def test_generated_days_end_yesterday(tmp_path):
    """A backfill may only ask for days that are over; the last one is run by hand."""
    stuff = material.gather(tmp_path, 7, None, None)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert stuff.by_hand == yesterday
    assert len(stuff.backfilled) == 4
    assert list(stuff.kinds.values()) == ["clean", "drifted", "nulls", "missing-column", "drifted"]
    assert stuff.rows(yesterday) > 600


def test_own_days_are_taken_by_their_names(tmp_path):
    """DAYS= is a folder with a file a day."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for day in ("2026-03-03", "2026-03-04"):
        (folder / f"{day}.csv").write_text("a,b\n1,2\n")
    stuff = material.gather(tmp_path / "made", 7, None, str(folder))
    assert stuff.backfilled == [date(2026, 3, 3)]
    assert stuff.by_hand == date(2026, 3, 4)
    assert stuff.kinds == {}
    assert stuff.rows(date(2026, 3, 3)) == 1


@pytest.mark.parametrize(
    ("names", "said"),
    [(["monday.csv"], "not named by its day"), ([], "no CSV file"), (["2999-01-01.csv"], "not ended yet")],
)
def test_own_days_that_cannot_be_used_are_named(tmp_path, names, said):
    """A wrong name, an empty folder and a day to come are told before anything starts."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("a\n1\n")
    with pytest.raises(HouseError, match=said):
        material.gather(tmp_path / "made", 7, None, str(folder))


def test_the_page_escapes_what_came_from_outside():
    """A feature named like a script is text."""
    page = inboxpage.render([Alert("1", "<script>x</script>", "<b>", {"severity": '"><i>'})])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert '"><i>' not in page


def test_the_page_answers_only_on_the_loopback_under_its_own_name():
    """A page of another site cannot read it through a name that it points at 127.0.0.1."""

    class Empty:
        alerts: tuple = ()

    port = free_port()
    server = inboxpage.serve(Empty(), port)
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/") as answer:
            assert answer.status == 200
        stranger = urllib.request.Request(f"http://{LOOPBACK}:{port}/", headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(stranger)  # noqa: S310 - our own page
        refused.value.close()
        assert refused.value.code == 404
    finally:
        server.shutdown()
        server.server_close()


def test_every_test_folder_belongs_to_exactly_one_run():
    """A test that no run collects would never fail. What runs once more on the newest Airflow has a run already."""
    runs = [run for run in testing.plan(environment.REPO, slow=True) if run.name != "newest"]
    paths = [path for run in runs for path in run.paths]
    assert len(paths) == len(set(paths))
    for file in (environment.REPO / "tests").glob("**/test_*.py"):
        relative = str(file.relative_to(environment.REPO))
        assert sum(relative == path or relative.startswith(f"{path}/") for path in paths) == 1, relative


def test_a_report_is_summed_up(tmp_path):
    """Errors of fixtures are failures; what was skipped has not passed."""
    report = tmp_path / "r.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>')
    assert testing.read_report(report) == testing.Count(3, 3, 3)
