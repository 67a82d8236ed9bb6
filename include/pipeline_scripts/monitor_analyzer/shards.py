"""Shards: the profile of one part of a dataset as a file, and parts merged into the profile of the whole.

A job on several instances (ShardedByS3Key) leaves one shard per host; a second job, or a person, merges them. Counts,
categories, minima, maxima and distinct counts (registers by maximum) are those of one pass; sums and moments agree
within rounding (Chan, Golub, LeVeque 1979), and sketches merge level by level, within KLL's bound.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import documents, hll
from .errors import AnalyzerError
from .inference import NUMERIC, TypeCounts
from .kll import Sketch
from .profile import CATEGORY_BYTES, CATEGORY_LIMIT, ColumnProfile, NumericSummary, Profile, summary

VERSION = 1
PREFIX = "shard-"
_COUNTS = ("integral", "fractional", "boolean", "string")


@dataclass
class Shard:
    """One host's part.

    Attributes:
        host: whose part it is.
        hosts: all hosts of the job; a merge wants each of them once.
        watched: by column, the texts that were counted whatever the number of distinct values.
        file: for messages.
    """

    host: str
    hosts: list[str]
    profile: Profile
    watched: Mapping[str, Iterable[str]]
    file: str = ""


def document(shard: Shard) -> dict[str, Any]:
    """Return a shard as it is written. It holds raw values: it is data, and classified as the dataset is."""
    return {
        "version": VERSION,
        "host": shard.host,
        "hosts": shard.hosts,
        "item_count": shard.profile.item_count,
        "columns": [_column_document(column, shard.watched.get(column.name, ())) for column in shard.profile.columns],
    }


def _column_document(column: ColumnProfile, watched: Iterable[str]) -> dict[str, Any]:
    return {
        "name": column.name,
        "missing": column.missing,
        "types": {kind: getattr(column.types, kind) for kind in _COUNTS},
        "registers": base64.b64encode(column.registers).decode(),
        "numeric": vars(column.numeric) if column.numeric else None,
        "categories": column.categories,
        "categories_complete": column.categories_complete,
        "watched": [] if column.categories_complete else sorted(set(watched)),
    }


def parse(content: Any, file: str) -> Shard:
    """Return the shard of a parsed file.

    Raises:
        AnalyzerError: it is none, or of another version.
    """
    try:
        if content["version"] != VERSION:
            raise AnalyzerError(
                f"this shard has version {content['version']!r}, this analyzer reads {VERSION}.",
                file=file,
                hint="Run both jobs with the same analyzer.",
            )
        columns = [_parsed_column(item) for item in content["columns"]]
        profile = Profile(_count(content["item_count"]), columns)
        hosts = [str(host) for host in content["hosts"]]
        watched = {item["name"]: item["watched"] for item in content["columns"]}
        return Shard(str(content["host"]), hosts, profile, watched, file)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise AnalyzerError(
            f"this is no shard ({type(error).__name__}: {error}).",
            file=file,
            hint="Give the files that jobs with analysis_stage shard wrote, and nothing else.",
        ) from error


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _number(value: Any) -> float:
    if not documents.is_number(value):
        raise ValueError("a figure is no number")
    return float(value)


def _parsed_column(item: Any) -> ColumnProfile:
    registers = base64.b64decode(item["registers"], validate=True)
    if len(registers) != hll.REGISTERS:
        raise ValueError(f"{len(registers)} registers, not {hll.REGISTERS}")
    types = TypeCounts(*(_count(item["types"][kind]) for kind in _COUNTS))
    given = item["numeric"]
    numeric = None
    if types.inferred() in NUMERIC:
        figures = {name: _number(given[name]) for name in ("total", "mean", "std_dev", "minimum", "maximum")}
        levels = [[_number(value) for value in level] for level in given["levels"]]
        if sum(len(level) << height for height, level in enumerate(levels)) != types.present:
            raise ValueError("the sketch weighs another number of values than were counted")
        numeric = NumericSummary(count=types.present, **figures, levels=levels)
    return ColumnProfile(
        str(item["name"]),
        _count(item["missing"]),
        types,
        hll.estimate(registers),
        registers=registers,
        numeric=numeric,
        categories={str(text): _count(count) for text, count in item["categories"].items()},
        categories_complete=bool(item["categories_complete"]),
    )


def read(folder: Path) -> list[Shard]:
    """Return the shards of a folder, in the order of their job's hosts.

    Raises:
        AnalyzerError: no shard, one that is damaged, or a host that is missing, unknown or there twice.
    """
    paths = sorted(folder.rglob(f"{PREFIX}*.json")) if folder.is_dir() else [folder]
    if not paths:
        raise AnalyzerError(f"there is no {PREFIX}*.json.", file=str(folder), hint="Did the sharded job finish?")
    return ordered([parse(documents.read(path, "the shard"), str(path)) for path in paths])


def ordered(found: Sequence[Shard]) -> list[Shard]:
    """Return shards in the order of their job's hosts, of which each must be there once.

    Raises:
        AnalyzerError: they are not the shards of one job.
    """
    hosts = found[0].hosts
    by_host: dict[str, Shard] = {}
    for shard in found:
        if shard.hosts != hosts or shard.host not in hosts:
            raise AnalyzerError(
                f"this shard is of a job on {', '.join(shard.hosts)}, the first one of a job on {', '.join(hosts)}.",
                file=shard.file,
                hint="Merge the shards of one job.",
            )
        if shard.host in by_host:
            raise AnalyzerError(f"the shard of {shard.host} is there twice.", file=shard.file)
        by_host[shard.host] = shard
    missing = [host for host in hosts if host not in by_host]
    if missing:
        raise AnalyzerError(
            f"the shard of {', '.join(missing)} is missing.",
            file=str(Path(found[0].file).parent),
            hint="A part of the dataset would be left out: look at that host's log.",
        )
    return [by_host[host] for host in hosts]


def merge(found: Sequence[Shard], watched: Mapping[str, Iterable[str]] | None = None) -> Profile:
    """Return the profile of all shards as one dataset.

    Args:
        found: shards in order; those without columns had no file and add nothing.
        watched: by column, the texts whose counts a constraint needs.

    Raises:
        AnalyzerError: no row at all, other columns in one of them, or counts that a constraint needs were not kept.
    """
    parts = [shard for shard in found if shard.profile.columns]
    rows = sum(shard.profile.item_count for shard in parts)
    if not rows:
        raise AnalyzerError("no shard holds a row.", file=found[0].file, hint="Check the job's input.")
    names = [column.name for column in parts[0].profile.columns]
    for shard in parts[1:]:
        if [column.name for column in shard.profile.columns] != names:
            raise AnalyzerError(
                f"the columns differ from those of {Path(parts[0].file).name}.",
                file=shard.file,
                hint="All files of a dataset need the same columns in the same order.",
            )
    return Profile(
        rows, [_merged(parts, index, frozenset((watched or {}).get(name, ()))) for index, name in enumerate(names)]
    )


def _merged(parts: Sequence[Shard], index: int, watched: frozenset[str]) -> ColumnProfile:
    columns = [shard.profile.columns[index] for shard in parts]
    name = columns[0].name
    for shard, column in zip(parts, columns, strict=True):
        if not column.categories_complete and not watched <= set(shard.watched.get(name, ())):
            raise AnalyzerError(
                f"the values that the constraints of feature {name!r} name were not counted.",
                file=shard.file,
                hint="Give the sharded job the same baseline_constraints as the merging one.",
            )
    types = TypeCounts(*(sum(getattr(column.types, kind) for column in columns) for kind in _COUNTS))
    registers = bytes(map(max, *(column.registers for column in columns))) if len(columns) > 1 else columns[0].registers
    categories: dict[str, int] = {}
    for column in columns:
        for text, count in column.categories.items():
            categories[text] = categories.get(text, 0) + count
    complete = (
        all(column.categories_complete for column in columns)
        and len(categories) <= CATEGORY_LIMIT
        and sum(len(text.encode()) for text in categories) <= CATEGORY_BYTES
    )
    merged = ColumnProfile(
        name,
        sum(column.missing for column in columns),
        types,
        hll.estimate(registers),
        registers=registers,
        categories=categories if complete else {text: categories[text] for text in categories if text in watched},
        categories_complete=complete,
    )
    if merged.inferred_type in NUMERIC:
        merged.numeric = _moments(name, [column.numeric for column in columns if column.numeric])
    return merged


def _moments(name: str, parts: Sequence[NumericSummary]) -> NumericSummary:
    if len(parts) == 1:
        return parts[0]
    count, total, mean, m2, sketch = 0, 0.0, 0.0, 0.0, Sketch()
    for part in parts:
        together = count + part.count
        delta = part.mean - mean
        m2 += part.std_dev * part.std_dev * part.count + delta * delta * count * part.count / together
        mean += delta * part.count / together
        count, total = together, total + part.total
        sketch.merge(part.levels)
    return summary(
        name,
        count=count,
        total=total,
        m2=m2,
        extremes=(min(part.minimum for part in parts), max(part.maximum for part in parts)),
        levels=sketch.levels,
    )
