"""What a house starts, it also ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import processes, proctable
from local.environment import REPO
from local.errors import HouseError
from local.processes import Spec, Supervisor

PYTHON = sys.executable
# A child that ignores SIGTERM and has a grandchild in a session of its own, as Airflow's tasks and PostgreSQL's have.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
SLEEPER = "import time; print('hello', flush=True); time.sleep(600)"


def spec(tmp_path: Path, code: str, name: str = "part", **more) -> Spec:
    log = tmp_path / f"{name}.log"
    more.setdefault("ready", lambda: log.exists() and log.stat().st_size > 0)
    return Spec(
        name=name,
        command=[PYTHON, "-c", code],
        environment={"PATH": os.environ["PATH"], **more.pop("environment", {})},
        log=log,
        cwd=tmp_path,
        **more,
    )


def alive(pid: int) -> bool:
    entry = proctable.entry(pid)
    return entry is not None and entry.alive


def wait_for(condition, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_a_child_that_ignores_sigterm_and_its_detached_grandchild_are_both_ended(tmp_path):
    """Neither a deaf child nor a process in a session of its own outlives the house."""
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(spec(tmp_path, STUBBORN, stop_seconds=0.3))
    grandchild = int((tmp_path / "part.log").read_text())
    supervisor.stop_all()
    assert not alive(child.pid)
    assert not alive(grandchild)
    assert not supervisor.ledger.exists()


def test_a_child_that_dies_early_is_reported_with_its_last_log_lines(tmp_path):
    """The error names the part, its exit code and what it said last."""
    supervisor = Supervisor(tmp_path)
    with pytest.raises(HouseError, match=r"part ended unexpectedly \(exit code 3\)(.|\n)*the reason"):
        supervisor.start(spec(tmp_path, "print('the reason'); raise SystemExit(3)", ready=lambda: False))
    supervisor.stop_all()


def test_a_child_that_is_never_ready_is_an_error_after_its_deadline(tmp_path):
    """A start does not wait for ever."""
    supervisor = Supervisor(tmp_path)
    with pytest.raises(HouseError, match="not ready within 0 s"):
        supervisor.start(spec(tmp_path, SLEEPER, ready=lambda: False, deadline=0.2))
    supervisor.stop_all()


def test_higher_stages_end_before_lower_ones(tmp_path):
    """Airflow goes before the database it writes to."""
    supervisor = Supervisor(tmp_path)
    order = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n    open({order!r}, 'a').write({name!r} + '\\n'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\ntime.sleep(600)\n"
    )
    for name, stage in (("database", 0), ("airflow", 2), ("aws", 1)):
        supervisor.start(spec(tmp_path, code.format(order=str(order), name=name), name, stage=stage))
    supervisor.stop_all()
    assert order.read_text().split() == ["airflow", "aws", "database"]


def test_what_a_killed_supervisor_left_behind_is_ended_by_the_next(tmp_path):
    """After kill -9 of the parent, the ledger and the marker lead to every process of the house."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from local.processes import Spec, Supervisor\n"
        f"home = Path({str(tmp_path)!r})\nlog = home / 'part.log'\n"
        f"spec = Spec('part', [sys.executable, '-c', {STUBBORN!r}], dict(os.environ), log, home,\n"
        "            ready=lambda: log.stat().st_size > 0)\n"
        "child = Supervisor(home).start(spec)\nprint(child.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    variables = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run([PYTHON, str(script)], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    child, grandchild = int(done.stdout), int((tmp_path / "part.log").read_text())
    assert alive(child)
    assert alive(grandchild)
    assert processes.end_leftovers(tmp_path) == ["part"]
    assert not alive(child)
    assert not alive(grandchild)
    assert processes.end_leftovers(tmp_path) == []


def test_a_reused_pid_is_never_ended(tmp_path):
    """A recorded pid with another start time belongs to somebody else."""
    stranger = subprocess.Popen([PYTHON, "-c", SLEEPER], stdout=subprocess.DEVNULL)
    try:
        ledger = tmp_path / "processes.json"
        ledger.write_text(f'[{{"name": "part", "pid": {stranger.pid}, "started": "1"}}]')
        assert processes.end_leftovers(tmp_path) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_task_runs_to_its_end_and_tells_how_it_ended(tmp_path):
    """Migration and deployment are supervised too, and their end is no accident."""
    supervisor = Supervisor(tmp_path)
    code, printed = supervisor.run(spec(tmp_path, "print('done'); raise SystemExit(4)"))
    assert code == 4
    assert "done" in printed
    supervisor.check()
    supervisor.stop_all()


def test_what_died_is_revived(tmp_path):
    """`make up` survives the death of a part."""
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(spec(tmp_path, SLEEPER))
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: child.process.poll() is not None)
    assert supervisor.revive() == ["part"]
    supervisor.wait_ready(supervisor.children[0])
    assert supervisor.children[0].pid != child.pid
    supervisor.stop_all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_that_was_started(tmp_path, number):
    """Ctrl-C, a closed terminal and a polite kill leave nothing behind."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, sys, time\nfrom pathlib import Path\n"
        "from local import signals\nfrom local.processes import Spec, Supervisor\n"
        f"home = Path({str(tmp_path)!r})\nlog = home / 'part.log'\n"
        f"spec = Spec('part', [sys.executable, '-c', {STUBBORN!r}], dict(os.environ), log, home,\n"
        "            ready=lambda: log.stat().st_size > 0, stop_seconds=0.3)\n"
        "supervisor = Supervisor(home)\n"
        "try:\n"
        "    with signals.watched(supervisor):\n"
        "        try:\n"
        "            print(supervisor.start(spec).pid, flush=True)\n            time.sleep(600)\n"
        "        finally:\n            supervisor.stop_all()\n"
        "except signals.Interrupted as error:\n    sys.exit(128 + error.number)\n"
    )
    parent = subprocess.Popen(
        [PYTHON, str(script)], cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)}, stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    grandchild = int((tmp_path / "part.log").read_text())
    parent.send_signal(number)
    assert parent.wait(timeout=30) == 128 + number
    parent.stdout.close()
    assert not alive(child)
    assert not alive(grandchild)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_part_is_started_again_after_a_signal(tmp_path, number):
    """Whatever ends a part, another of its name stands in its place, and nothing of the former is left."""
    supervisor = Supervisor(tmp_path)
    former = supervisor.start(spec(tmp_path, STUBBORN, stop_seconds=0.3))
    try:
        now = supervisor.restart("part", number)
        assert not alive(former.pid)
        assert alive(now.pid)
        assert supervisor.children == [now]
        supervisor.check()
    finally:
        supervisor.stop_all()


def test_a_part_that_is_not_there_is_not_started_again(tmp_path):
    """The message names the parts that there are."""
    supervisor = Supervisor(tmp_path)
    supervisor.start(spec(tmp_path, SLEEPER))
    try:
        with pytest.raises(HouseError, match="no part nobody"):
            supervisor.restart("nobody")
    finally:
        supervisor.stop_all()
