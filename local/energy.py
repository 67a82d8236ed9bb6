"""Made-up buildings and what they use: training data and batch days of the use case `energy_use`.

Seeded, standard library only. Another schema than the carrier's: semicolons, a number as label, a code that looks
like a number, free text that is ignored.
"""

import csv
from datetime import date
from pathlib import Path
from random import Random

USE_CASE = "energy_use"
LABEL = "kwh_next_day"
# What the files of the meters call the record id.
LABEL_ID = "building"
COLUMNS = (
    "building_id", "usage_code", "floor_area", "occupancy", "outside_temperature", "kwh_today", "weekday", "remark",
)  # fmt: skip
# Offices, schools, halls, homes: kilowatt-hours per square metre and day.
USAGES = {"101": 0.11, "204": 0.07, "310": 0.16, "422": 0.05}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
REMARKS = ("", "meter changed", "see ticket 4711; called", "new windows", "tenant moved")
TRAINING_ROWS, DAY_ROWS = 1500, 400
KINDS = ("clean", "drifted", "missing-column")


def buildings(random: Random, count: int, *, warmer: float = 0.0) -> list[dict[str, str]]:
    """Return rows with label; `warmer` moves the temperature."""
    found = []
    for number in range(count):
        usage = random.choice(tuple(USAGES))
        area = random.randint(200, 9000)
        occupancy = random.random()
        temperature = random.gauss(9, 7) + warmer
        weekday = random.choice(WEEKDAYS)
        base = area * USAGES[usage] * (0.35 + occupancy) * (0.6 if weekday in {"sat", "sun"} else 1.0)
        heating = max(0.0, 18 - temperature) * area * 0.004
        today = base * random.uniform(0.92, 1.08) + heating
        found.append(
            {
                "building_id": f"B{number:05d}",
                "usage_code": usage,
                "floor_area": str(area),
                "occupancy": f"{occupancy:.3f}",
                "outside_temperature": f"{temperature:.1f}",
                "kwh_today": f"{today:.2f}",
                "weekday": weekday,
                "remark": random.choice(REMARKS),
                LABEL: f"{0.8 * base + 0.2 * today + heating + random.gauss(0, 12):.2f}",
            }
        )
    return found


def write_training(path: Path, seed: int) -> int:
    """Write the training data and return its number of rows."""
    random = Random(f"{seed}/training")  # noqa: S311 - made-up buildings
    _write(path, (*COLUMNS, LABEL), buildings(random, TRAINING_ROWS))
    return TRAINING_ROWS


def write_day(path: Path, kind: str, when: date, seed: int) -> int:
    """Write one batch day of a kind and return its number of rows.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of day {kind!r}; known are {', '.join(KINDS)}")
    columns = tuple(name for name in COLUMNS if kind != "missing-column" or name != "occupancy")
    _write(path, columns, _day(kind, when, seed))
    return DAY_ROWS


def write_labels(path: Path, kind: str, when: date, seed: int) -> int:
    """Write what the buildings of `write_day` used, as the meters' file calls it, and return the number of rows."""
    rows = _day(kind, when, seed)
    _write(path, (LABEL_ID, LABEL), [{LABEL_ID: row["building_id"], LABEL: row[LABEL]} for row in rows])
    return len(rows)


def _day(kind: str, when: date, seed: int) -> list[dict[str, str]]:
    random = Random(f"{seed}/{kind}/{when.isoformat()}")  # noqa: S311 - made-up buildings
    return buildings(random, DAY_ROWS, warmer=14.0 if kind == "drifted" else 0.0)


def _write(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, delimiter=";", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
