"""Small made-up data for the tests of the scripts."""

import csv
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "include" / "pipeline_scripts"
CONTRACTS = ROOT / "docs" / "contracts"
HEADER = ["State", "Area", "Id", "Mins", "Calls", "Churn"]
TRAINING = ["--use-case", "churn", "--record-id", "Id", "--label", "Churn", "--positive", "yes", "--categorical=Area"]


def training_rows(count=200):
    """Learnable rows: churn follows from Mins."""
    for number in range(count):
        mins = number * 37 % 100
        yield [
            "AK" if number % 2 else "New York, NY",
            str(400 + number % 3),
            f"id-{number}",
            f"{mins}.5" if number % 10 else "",
            str(number % 7),
            "yes" if mins > 50 else "no",
        ]


def write_csv(path, header, rows, delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path
