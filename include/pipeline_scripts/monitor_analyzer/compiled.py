"""The compiled engine for large CSV: same results as `profile.py`, bit for bit, at the speed of a parser.

Used when numba and numpy are installed and the files are large enough to be worth its start-up. A tokeniser runs
ahead of the columns, which are shared among the processors; each column is fed in row order, so sums, Welford moments
and sketches are those of a single pass. Whatever is unusual (a damaged row, text that is not UTF-8) makes it stand
back: Python then reads the files and either finds them right or names the place.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import math
import mmap
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from . import hll, kll
from .csv_file import CsvFile
from .inference import NUMERIC, TypeCounts
from .profile import CATEGORY_BYTES, CATEGORY_LIMIT, ColumnProfile, Profile, summary
from .xxh64 import SPARK_SEED, xxh64

# Compiling takes as long as Python needs for about this much; from a warm cache only numba's import has to pay off.
COLD_BYTES = 64_000_000
WARM_BYTES = 6_000_000
BUFFER = 1 << 22
LARGEST_ROW = 1 << 26
CELLS = 1 << 20
SETTING = "MONITOR_ANALYZER_ENGINE"  # auto (default), python or compiled


class StandBackError(Exception):
    """Something that only the Python engine can judge."""


def cache_folder() -> Path | None:
    """Return the folder for compiled kernels, or None where nobody but us cannot be ruled out.

    Compiled code is loaded from there, so it must be ours and not writable for others.
    """
    root = os.environ.get("MONITOR_ANALYZER_CACHE") or os.path.join(  # noqa: PTH118 - expanduser may fail on Path
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),  # noqa: PTH111
        "monitor_analyzer",
    )
    try:
        path = Path(root)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = path.stat()
    except OSError:
        return None
    ours = not hasattr(os, "getuid") or (facts.st_uid == os.getuid() and not facts.st_mode & 0o022)
    return path if ours and os.access(path, os.W_OK) else None


def _source() -> bytes:
    return Path(__file__).with_name("kernels.py").read_bytes()


def _home() -> Path | None:
    """Return the folder in which this version of the kernels has (or will have) its compiled form."""
    root = cache_folder()
    if root is None:
        return None
    version = getattr(importlib.util.find_spec("numba"), "origin", "") or ""
    key = hashlib.sha256(_source() + sys.version.encode() + version.encode()).hexdigest()[:16]
    return root / key


def wanted(size: int) -> bool:
    """Whether `size` bytes of CSV are worth the compiled engine here."""
    choice = os.environ.get(SETTING, "auto")
    if choice == "python" or sys.byteorder != "little":
        return False
    if any(importlib.util.find_spec(name) is None for name in ("numba", "numpy")):
        return False
    if choice == "compiled" or size >= COLD_BYTES:
        return True
    home = _home() if size >= WARM_BYTES else None
    return home is not None and (home / "ready").exists()


def load_kernels() -> ModuleType:
    """Import the kernels, through the cache where there is one.

    numba's cache is keyed by the source file's path and time, and a job's code lies in another folder every time: so
    the source is copied once to a folder named after its digest.
    """
    home = _home()
    if home is None:
        os.environ.setdefault("NUMBA_CACHE_DIR", os.devnull)
        return import_module(".kernels", __package__)
    name = f"analyzer_kernels_{home.name}"
    if name in sys.modules:
        return sys.modules[name]
    home.mkdir(mode=0o700, exist_ok=True)
    path = home / f"{name}.py"
    if not path.exists():
        staging = home / f"{name}.{os.getpid()}"
        staging.write_bytes(_source())
        staging.replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StandBackError
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def mark_ready() -> None:
    """Note that the cache holds every kernel."""
    home = _home()
    if home is not None and home.is_dir():
        (home / "ready").touch()


@dataclass
class Chunk:
    """Whole rows in a buffer: field positions by (column, row)."""

    buffer: Any
    starts: Any
    lengths: Any
    first: int
    rows: int
    position: int


def _sparse(np: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return zeros that take memory only where they are written.

    numpy asks for huge pages, and one byte written to such a page takes all of its two megabytes: for the accumulators
    of 200 columns, of which most is never written, that made 600 MB.
    """
    memory = mmap.mmap(-1, math.prod(shape) * np.dtype(dtype).itemsize)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without huge pages
            memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


class State:
    """The accumulators of all columns, as arrays that the kernels fill."""

    def __init__(self, kernels: ModuleType, names: Sequence[str], watched: Mapping[str, Iterable[str]]) -> None:
        import numpy as np

        self.np, self.k, self.names = np, kernels, names
        columns = len(names)
        texts = [list(dict.fromkeys(watched.get(name, ()))) for name in names]
        self.watched = [frozenset(column) for column in texts]
        self.limits = [max(CATEGORY_LIMIT, len(column)) for column in texts]
        entries = max(self.limits)
        if entries > kernels.SLOTS // 2:
            raise StandBackError
        self.ints = np.zeros((columns, kernels.INTS), np.int64)
        self.ints[:, kernels.LEVELS] = 1
        self.ints[:, kernels.COUNTING] = 1
        self.floats = np.zeros((columns, kernels.FLOATS))
        self.floats[:, kernels.MINIMUM], self.floats[:, kernels.MAXIMUM] = np.inf, -np.inf
        self.registers = np.zeros((columns, hll.REGISTERS), np.uint8)
        self.keys = _sparse(np, (columns, kernels.SLOTS), np.uint64)
        self.slots = np.full((columns, kernels.SLOTS), -1, np.int32)
        self.counts = _sparse(np, (columns, entries), np.int64)
        self.offsets = _sparse(np, (columns, entries), np.int64)
        self.sizes = _sparse(np, (columns, entries), np.int64)
        self.kinds = np.full((columns, entries), -1, np.int8)
        self.numbers = _sparse(np, (columns, entries), np.float64)
        self.memo_keys = _sparse(np, (columns, kernels.MEMO), np.uint64)
        self.memo_numbers = _sparse(np, (columns, kernels.MEMO), np.float64)
        self.memo_entries = _sparse(np, (columns, kernels.MEMO), np.int32)
        self.memo_kinds = _sparse(np, (columns, kernels.MEMO), np.int8)
        self.levels = _sparse(np, (columns, kernels.MAX_LEVELS, kernels.LEVEL_ROOM), np.float64)
        self.sizes_of_levels = np.zeros((columns, kernels.MAX_LEVELS), np.int64)
        self.compactions = np.zeros((columns, kernels.MAX_LEVELS), np.int64)
        self.flips = np.zeros((columns, kernels.MAX_LEVELS), np.int64)
        self.capacities = np.array([kll.capacity(level) for level in range(kernels.MAX_LEVELS + 1)], np.int64)
        self.arenas = [self._watch(column, words) for column, words in enumerate(texts)]

    def _watch(self, column: int, words: Sequence[str]) -> Any:
        """Enter the texts that a constraint watches, with count 0, and return the column's store of texts."""
        encoded = [word.encode("utf-8", "surrogatepass") for word in words]
        arena = _sparse(self.np, (CATEGORY_BYTES + sum(map(len, encoded)),), self.np.uint8)
        at, k = 0, self.k
        for entry, word in enumerate(encoded):
            digest = xxh64(word, SPARK_SEED)
            slot = digest % k.SLOTS
            while self.slots[column, slot] >= 0:
                slot = (slot + 1) % k.SLOTS
            arena[at : at + len(word)] = self.np.frombuffer(word, self.np.uint8)
            self.keys[column, slot], self.slots[column, slot] = digest, entry
            self.offsets[column, entry], self.sizes[column, entry] = at, len(word)
            at += len(word)
        if words:
            self.ints[column, k.COUNTING] = 2
        self.ints[column, k.ENTRIES], self.ints[column, k.ARENA] = len(words), at
        return arena

    def numeric(self, column: int) -> bool:
        """Whether the column holds nothing but numbers so far."""
        return not (self.ints[column, self.k.BOOLEAN] or self.ints[column, self.k.STRING])

    def finish(self, column: int) -> ColumnProfile:
        """Return the column's profile."""
        k, ints, floats = self.k, self.ints[column], self.floats[column]
        counts = TypeCounts(*(int(ints[kind]) for kind in (k.INTEGRAL, k.FRACTIONAL, k.BOOLEAN, k.STRING)))
        complete = not ints[k.INCOMPLETE]
        store = self.arenas[column][: ints[k.ARENA]].tobytes()
        categories = {}
        for entry in range(int(ints[k.ENTRIES])):
            at, size, count = self.offsets[column, entry], self.sizes[column, entry], int(self.counts[column, entry])
            text = store[at : at + size].decode("utf-8", "surrogatepass")
            if count and (complete or text in self.watched[column]):
                categories[text] = count
        registers = self.registers[column].tobytes()
        profile = ColumnProfile(
            self.names[column],
            int(ints[k.MISSING]),
            counts,
            hll.estimate(registers),
            registers=registers,
            categories=categories,
            categories_complete=complete,
        )
        if profile.inferred_type in NUMERIC:
            profile.numeric = summary(
                profile.name,
                count=int(ints[k.COUNT]),
                total=float(floats[k.TOTAL]),
                m2=float(floats[k.M2]),
                extremes=(float(floats[k.MINIMUM]), float(floats[k.MAXIMUM])),
                levels=[
                    self.levels[column, level, : self.sizes_of_levels[column, level]].tolist()
                    for level in range(int(ints[k.LEVELS]))
                ],
            )
        return profile


class Worker:
    """Scratch space of one column at a time."""

    def __init__(self, state: State, rows: int) -> None:
        np = state.np
        self.out = np.zeros(rows + 1)
        self.uncertain = np.zeros(2 * rows, np.int32)
        self.spare = np.zeros(state.k.LEVEL_ROOM)
        self.places = np.zeros(state.k.LEVEL_ROOM + 1, np.uint32)
        self.where = np.zeros(state.k.LEVEL_ROOM, np.uint16)
        self.scratch = np.zeros(1 << 21, np.uint8)

    def absorb(self, state: State, chunk: Chunk, column: int) -> None:
        """Add a chunk's rows of one column to the state.

        Raises:
            StandBackError: a number beyond a double.
        """
        k = state.k
        found, doubtful = k.absorb(
            chunk.buffer, chunk.starts[column], chunk.lengths[column], chunk.first, chunk.rows, state.ints[column],
            state.registers[column], state.keys[column], state.slots[column], state.counts[column],
            state.offsets[column], state.sizes[column], state.kinds[column], state.numbers[column],
            state.memo_keys[column], state.memo_numbers[column], state.memo_entries[column],
            state.memo_kinds[column], state.arenas[column], self.scratch, self.out, self.uncertain,
            state.limits[column],
        )  # fmt: skip
        for at, row in self.uncertain[: 2 * doubtful].reshape(-1, 2).tolist():
            start, length = int(chunk.starts[column, row]), int(chunk.lengths[column, row])
            number = float(chunk.buffer[start : start + length].tobytes()) if length > 0 else float("inf")
            if number in {float("inf"), float("-inf")}:
                raise StandBackError
            self.out[at] = number
        if state.numeric(column):
            k.accumulate(
                self.out, found, state.ints[column], state.floats[column], state.levels[column],
                state.sizes_of_levels[column], state.compactions[column], state.flips[column], state.capacities,
                self.spare, self.places, self.where,
            )  # fmt: skip


class Chunks:
    """The files as chunks of whole rows; two sets of buffers, so that one is filled while the other is read."""

    def __init__(self, files: Sequence[CsvFile], state: State) -> None:
        self.files, self.state = files, state
        self.width = len(state.names)
        self.room = max(64, CELLS // self.width)

    def _arrays(self) -> tuple[Any, Any]:
        np = self.state.np
        return np.empty((self.width, self.room), np.int32), np.empty((self.width, self.room), np.int32)

    def __iter__(self) -> Iterator[Chunk]:  # noqa: C901 - one loop over the state of one read
        np, k = self.state.np, self.state.k
        buffers = [np.zeros(BUFFER + k.PADDING, np.uint8) for _ in range(2)]
        arrays = [self._arrays(), self._arrays()]
        turn, done = 0, 0
        for file in self.files:
            header = file.header
            with file.path.open("rb", buffering=0) as stream:
                filled, position, final = 0, 0, False
                beginning = True
                while True:
                    buffer = buffers[turn]
                    room = len(buffer) - k.PADDING
                    if not final and filled < room:
                        final = self._fill(stream, buffer[:room], filled)
                        filled = self.filled
                    if beginning and bytes(buffer[:3].tobytes()) == b"\xef\xbb\xbf" and filled >= 3:
                        position = 3
                    beginning = False
                    starts, lengths = arrays[turn]
                    rows, after, found = k.tokenise(buffer, position, filled, final, self.width, starts, lengths)
                    if found == k.ODD:
                        raise StandBackError
                    self._check_text(buffer[position:after])
                    left = filled - after
                    if rows == 0 and found == k.MORE and left == room:
                        if room >= LARGEST_ROW:
                            raise StandBackError
                        buffers = [np.zeros(2 * room + k.PADDING, np.uint8) for _ in buffers]
                        after, chunk = 0, None
                    else:
                        first = int(header and rows > 0)
                        header = header and rows == 0
                        chunk = Chunk(buffer, starts, lengths, first, rows, done + after) if rows > first else None
                        turn = 1 - turn
                    done += after
                    if chunk is not None:
                        yield chunk
                    # Only now is the other buffer free: its chunk was finished before this one was asked for more.
                    buffers[turn][:left] = buffer[filled - left : filled]
                    filled, position = left, 0
                    if final and not filled:
                        break
                    if final and found == k.OK and rows == 0:
                        break

    def _fill(self, stream: Any, buffer: Any, filled: int) -> bool:
        """Read until the buffer is full; return whether the file has ended."""
        view = memoryview(buffer)
        while filled < len(buffer):
            read = stream.readinto(view[filled:])
            if not read:
                self.filled = filled
                return True
            filled += read
        self.filled = filled
        return False

    def _check_text(self, part: Any) -> None:
        if part.size and part.max() >= 128:
            try:
                part.tobytes().decode("utf-8")
            except UnicodeDecodeError as error:
                raise StandBackError from error


def profile_files(
    files: Sequence[CsvFile],
    watched: Mapping[str, Iterable[str]] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Profile | None:
    """Return the profile of CSV files, or None when Python has to judge them.

    Args:
        files: opened files that agree on their columns.
        watched: by column, the texts whose counts a constraint needs.
        on_progress: told how many bytes are done.
    """
    try:
        state = State(load_kernels(), files[0].names, watched or {})
        rows = _run(files, state, on_progress)
    except StandBackError:
        return None
    mark_ready()
    return Profile(rows, [state.finish(column) for column in range(len(state.names))])


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(files: Sequence[CsvFile], state: State, on_progress: Callable[[int], None] | None) -> int:
    chunks = Chunks(files, state)
    source = iter(chunks)
    threads = min(_processors(), 8)
    rows = 0
    with ThreadPoolExecutor(threads) as pool:
        workers = [Worker(state, chunks.room) for _ in range(threads)]
        chunk = next(source, None)
        while chunk is not None:
            ahead = pool.submit(next, source, None)
            queue = iter(range(len(state.names)))
            jobs = [pool.submit(_drain, state, worker, chunk, queue) for worker in workers]
            for job in jobs:
                job.result()
            rows += chunk.rows - chunk.first
            if on_progress:
                on_progress(chunk.position)
            chunk = ahead.result()
    return rows


def _drain(state: State, worker: Worker, chunk: Chunk, queue: Iterator[int]) -> None:
    """Take columns off the queue until none is left; range iterators hand out each value once under the GIL."""
    for column in queue:
        worker.absorb(state, chunk, column)
