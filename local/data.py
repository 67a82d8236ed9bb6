"""Made-up customers of a telephone carrier: training data and batch days of four kinds.

Seeded, standard library only. The columns are those of the well-known churn data set, except that `Phone` is unique and
serves as record id. Churn follows from plan, usage and calls to the help desk, so that a model has something to find.

    python -m local.data training --seed 7 --out FILE
    python -m local.data day --kind drifted --date 2026-03-03 --seed 7 --out FILE
    python -m local.data labels --kind drifted --date 2026-03-03 --seed 7 --out FILE
"""

import argparse
import csv
import math
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

STATES = [
    "AK",
    "AL",
    "AR",
    "AZ",
    "CA",
    "CO",
    "CT",
    "DC",
    "DE",
    "FL",
    "GA",
    "HI",
    "IA",
    "ID",
    "IL",
    "IN",
    "KS",
    "KY",
    "LA",
    "MA",
    "MD",
    "ME",
    "MI",
    "MN",
    "MO",
    "MS",
    "MT",
    "NC",
    "ND",
    "NE",
    "NH",
    "NJ",
    "NM",
    "NV",
    "NY",
    "OH",
    "OK",
    "OR",
    "PA",
    "RI",
    "SC",
    "SD",
    "TN",
    "TX",
    "UT",
    "VA",
    "VT",
    "WA",
    "WI",
    "WV",
    "WY",
]
AREA_CODES = (408, 415, 510)
COLUMNS = [
    "State",
    "Account Length",
    "Area Code",
    "Phone",
    "Int'l Plan",
    "VMail Plan",
    "VMail Message",
    "Day Mins",
    "Day Calls",
    "Day Charge",
    "Eve Mins",
    "Eve Calls",
    "Eve Charge",
    "Night Mins",
    "Night Calls",
    "Night Charge",
    "Intl Mins",
    "Intl Calls",
    "Intl Charge",
    "CustServ Calls",
    "Churn?",
]
RECORD_ID = "Phone"
LABEL = "Churn?"
KINDS = ("clean", "drifted", "nulls", "missing-column")
TRAINING_ROWS = 5_000
DAY_ROWS = 700
DAY_SPREAD = 30
# Dollars a minute, by time of day.
RATES = {"Day": 0.17, "Eve": 0.085, "Night": 0.045, "Intl": 0.27}
# A drifted day: everybody calls longer, as if minutes were suddenly counted in another unit.
DRIFT = {"Day": 1.8, "Eve": 1.6, "Night": 1.6, "Intl": 1.9}
NULLS = {"Day Mins": 0.06, "Night Charge": 0.04, "Intl Calls": 0.08}
MISSING_COLUMN = "CustServ Calls"


def customers(random: Random, rows: int, drift: dict[str, float] | None = None) -> Iterator[dict[str, str]]:
    """Yield customers as text by column, label included; `drift` multiplies minutes by time of day."""
    phones = random.sample(range(1_000_000, 10_000_000), rows)
    for phone in phones:
        yield _customer(random, phone, drift or {})


def training(seed: int, rows: int = TRAINING_ROWS) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and rows of the training data."""
    return list(COLUMNS), list(customers(Random(f"{seed}/training"), rows))  # noqa: S311 - made-up people, no secrets


def day(seed: int, kind: str, when: date, rows: int | None = None) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns and rows of one batch day; there is no label, and about 700 rows unless told otherwise.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of day {kind!r}; known are {', '.join(KINDS)}")
    random = Random(f"{seed}/{kind}/{when.isoformat()}")  # noqa: S311 - made-up people
    count = rows if rows is not None else DAY_ROWS + random.randint(-DAY_SPREAD, DAY_SPREAD)
    found = list(customers(random, count, DRIFT if kind == "drifted" else None))
    columns = [name for name in COLUMNS if name != LABEL]
    if kind == "nulls":
        for column, share in NULLS.items():
            for row in random.sample(found, max(1, round(share * count))):
                row[column] = ""
    if kind == "missing-column":
        columns.remove(MISSING_COLUMN)
    return columns, found


def write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    """Write a CSV file with header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_training(path: Path, seed: int) -> int:
    """Write the training data and return its number of rows."""
    columns, rows = training(seed)
    write(path, columns, rows)
    return len(rows)


def write_day(path: Path, kind: str, when: date, seed: int) -> int:
    """Write one batch day and return its number of rows."""
    columns, rows = day(seed, kind, when)
    write(path, columns, rows)
    return len(rows)


def labels(seed: int, kind: str, when: date) -> list[dict[str, str]]:
    """Return what became of the customers of `day(seed, kind, when)`: record id and label.

    Whether they leave follows from how they live, not from how the minutes were counted: the labels of a drifted day
    say that the model was wrong.
    """
    _, rows = day(seed, kind, when)
    return [{name: row[name] for name in (RECORD_ID, LABEL)} for row in rows]


def write_labels(path: Path, kind: str, when: date, seed: int) -> int:
    """Write the labels of one batch day and return their number."""
    rows = labels(seed, kind, when)
    write(path, [RECORD_ID, LABEL], rows)
    return len(rows)


def _customer(random: Random, phone: int, drift: dict[str, float]) -> dict[str, str]:
    international = random.random() < 0.25
    voice_mail = random.random() < 0.3
    minutes = {
        "Day": max(0.0, random.gauss(180, 54)),
        "Eve": max(0.0, random.gauss(200, 50)),
        "Night": max(0.0, random.gauss(200, 50)),
        "Intl": max(0.0, random.gauss(10.2, 2.8)),
    }
    calls = {name: max(0, round(random.gauss(100, 20))) for name in ("Day", "Eve", "Night")}
    calls["Intl"] = 1 + min(19, int(random.expovariate(0.3)))
    help_desk = min(9, int(random.expovariate(0.55)))
    # What makes people leave; calls to the help desk and the international plan weigh only in company.
    regret = (
        0.045 * (minutes["Day"] - 195)
        + 0.012 * (minutes["Eve"] - 200)
        + (3.4 if international and minutes["Intl"] > 9 else 0.0)
        + (4.2 if help_desk >= 4 and minutes["Day"] < 200 else 0.0)
        + (0.8 if help_desk >= 3 else 0.0)
        - (1.9 if voice_mail else 0.0)
    )
    leaves = random.random() < 1 / (1 + math.exp(-1.6 * regret))
    row = {
        "State": random.choice(STATES),
        "Account Length": str(max(1, round(random.gauss(101, 40)))),
        "Area Code": str(random.choice(AREA_CODES)),
        "Phone": f"{phone // 10_000}-{phone % 10_000:04d}",
        "Int'l Plan": "yes" if international else "no",
        "VMail Plan": "yes" if voice_mail else "no",
        "VMail Message": str(max(1, round(random.gauss(29, 8))) if voice_mail else 0),
        "CustServ Calls": str(help_desk),
        "Churn?": "True." if leaves else "False.",
    }
    for name, value in minutes.items():
        told = value * drift.get(name, 1.0)
        row[f"{name} Mins"] = f"{told:.1f}"
        row[f"{name} Calls"] = str(calls[name])
        row[f"{name} Charge"] = f"{told * RATES[name]:.2f}"
    return row


def main(arguments: list[str] | None = None) -> int:
    """Write what the arguments ask for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.data", description="Make customers of a telephone carrier.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="WHAT")
    for verb, what in (
        ("training", "5,000 customers with label"),
        ("day", "one batch day without label"),
        ("labels", "the labels of that day, as they arrive later"),
    ):
        part = verbs.add_parser(verb, help=what, description=f"Write {what}.")
        part.add_argument("--seed", type=int, default=7, help="another seed, other customers (default: 7)")
        part.add_argument("--out", type=Path, required=True, help="CSV file to write")
        if verb != "training":
            part.add_argument("--kind", choices=KINDS, required=True)
            part.add_argument("--date", type=date.fromisoformat, required=True, help="the batch day, as 2026-03-03")
    given = parser.parse_args(arguments)
    if given.verb == "training":
        rows = write_training(given.out, given.seed)
    elif given.verb == "labels":
        rows = write_labels(given.out, given.kind, given.date, given.seed)
    else:
        rows = write_day(given.out, given.kind, given.date, given.seed)
    print(f"{rows} rows written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
