"""The machine's process table, as far as ending what a house started needs it: /proc where there is one, else `ps`."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

MARKER = "BATCH_HOUSE"
PROC = Path("/proc")


@dataclass(frozen=True)
class Entry:
    """One process: `started` tells two processes with the same pid apart (ticks since boot, or `ps` lstart)."""

    pid: int
    parent: int
    group: int
    session: int
    started: str
    state: str

    @property
    def alive(self) -> bool:
        """A zombie has ended; only its parent has not noticed."""
        return not self.state.startswith(("Z", "X"))


def entries() -> dict[int, Entry]:
    """Return every process that can be seen, by pid."""
    if (PROC / "self" / "stat").exists():
        found = (_proc_entry(int(folder.name)) for folder in PROC.iterdir() if folder.name.isdigit())
        return {entry.pid: entry for entry in found if entry is not None}
    return _ps_entries()


def entry(pid: int) -> Entry | None:
    """Return one process, or None when there is none of that pid."""
    return _proc_entry(pid) if (PROC / "self" / "stat").exists() else _ps_entries().get(pid)


def marked(value: str) -> set[int]:
    """Return the pids whose environment carries the house's marker.

    Reads /proc; where there is none, the answer is empty and descent and session must do.
    """
    needle = f"{MARKER}={value}".encode()
    found = set()
    for folder in PROC.iterdir() if PROC.is_dir() else []:
        if not folder.name.isdigit():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:  # ended meanwhile, or somebody else's
            continue
        if needle in environment.split(b"\0"):
            found.add(int(folder.name))
    return found


def family(leaders: set[int], table: dict[int, Entry]) -> set[int]:
    """Return the leaders, every process of their sessions and groups, and all descendants.

    Airflow's tasks leave their parent's group, PostgreSQL's backends leave its session: neither alone is enough.
    """
    found = {pid for pid in leaders if pid in table}
    found |= {e.pid for e in table.values() if e.session in leaders or e.group in leaders}
    children: dict[int, list[int]] = {}
    for e in table.values():
        children.setdefault(e.parent, []).append(e.pid)
    todo = list(found)
    while todo:
        for child in children.get(todo.pop(), []):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def own_line() -> set[int]:
    """Return this process and its ancestors: what must never be ended."""
    table = entries()
    line = set()
    pid = os.getpid()
    while pid and pid not in line:
        line.add(pid)
        pid = table[pid].parent if pid in table else 0
    return line


def send(pid: int, number: signal.Signals) -> None:
    """Signal one process; one that is gone meanwhile is what was wanted."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _proc_entry(pid: int) -> Entry | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The command stands in parentheses and may hold anything, also parentheses: fields count from the last one.
    fields = text[text.rindex(")") + 2 :].split()
    return Entry(pid, int(fields[1]), int(fields[2]), int(fields[3]), fields[19], fields[0])


def _ps_entries() -> dict[int, Entry]:
    listing = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,pgid=,stat=,lstart="], capture_output=True, text=True, check=True
    ).stdout
    table = {}
    for line in listing.splitlines():
        pid, parent, group, state, started = line.split(None, 4)
        # `ps` of BSD shows no usable session id; a group of the leader's pid is the best it has.
        table[int(pid)] = Entry(int(pid), int(parent), int(group), int(group), started.strip(), state)
    return table
