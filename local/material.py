"""The files that a demo works on: made by the generator, or a person's own by DATA= and DAYS=."""

import csv
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from local import data
from local.cloud import records
from local.errors import HouseError

# What the generated days are, in order; the last one is run by hand.
PLAN = ("clean", "drifted", "nulls", "missing-column", "drifted")


@dataclass(frozen=True)
class Material:
    """Training file and day files. `kinds` says what each generated day is; nobody reads it before the judging."""

    training: Path
    days: dict[date, Path]
    kinds: dict[date, str] = field(default_factory=dict)

    @property
    def backfilled(self) -> list[date]:
        """All days but the last, which is run by hand; a single day is backfilled."""
        ordered = sorted(self.days)
        return ordered[:-1] or ordered

    @property
    def by_hand(self) -> date | None:
        """The last day, when there are several."""
        return max(self.days) if len(self.days) > 1 else None

    def rows(self, day: date) -> int:
        """Count the records of a day's file; 0 where it cannot be read as CSV (its run says why)."""
        try:
            return records(self.days[day])
        except (UnicodeDecodeError, csv.Error):
            return 0


def gather(folder: Path, seed: int, training: str | None, days: str | None, last_day: date | None = None) -> Material:
    """Take a person's files where they are given, and make the others below `folder`.

    The generated days end with `last_day`, which is yesterday (UTC) unless told otherwise.

    Raises:
        HouseError: a given file or folder is not there or not as expected.
    """
    today = datetime.now(UTC).date()
    folder.mkdir(parents=True, exist_ok=True)
    if training:
        training_file = Path(training)
        if not training_file.is_file():
            raise HouseError(f"DATA={training} is no file.", "Give one CSV file with header and label.")
    else:
        training_file = folder / "training.csv"
        data.write_training(training_file, seed)
    if days:
        return Material(training_file, _own_days(Path(days), today))
    first = (last_day or today - timedelta(days=1)) - timedelta(days=len(PLAN) - 1)
    plan = {first + timedelta(days=number): kind for number, kind in enumerate(PLAN)}
    files = {}
    for day, kind in plan.items():
        files[day] = folder / f"{day}.csv"
        data.write_day(files[day], kind, day, seed)
    # A person's own training data makes no promise on what the generated days look like beside it.
    return Material(training_file, files, {} if training else plan)


def _own_days(folder: Path, today: date) -> dict[date, Path]:
    if not folder.is_dir():
        raise HouseError(f"DAYS={folder} is no folder.", "Give one with a file a day, named as 2026-03-03.csv.")
    found = {}
    for file in sorted(folder.glob("*.csv")):
        try:
            day = date.fromisoformat(file.stem)
        except ValueError as error:
            raise HouseError(f"{file} is not named by its day.", "Name it as 2026-03-03.csv.") from error
        if day >= today:
            raise HouseError(
                f"{file}: {day} has not ended yet (today is {today} in UTC), so Airflow does not backfill it.",
                "Name the file by a day that is over.",
            )
        found[day] = file
    if not found:
        raise HouseError(f"DAYS={folder} holds no CSV file.", "Put one file a day there, named as 2026-03-03.csv.")
    return found
