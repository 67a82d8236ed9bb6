"""The same job on a real file: the churn data set, when it lies beside the repository (BATCH_SHARED moves it)."""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import data, environment, training
from local.cloud import Figures
from local.house import quietly
from sagemaker_batch import names
from sagemaker_batch.registry import ModelVersion
from tests.integration.conftest import USE_CASE, Laptop

pytestmark = pytest.mark.timeout(900)
FILE = Path(os.environ.get("BATCH_SHARED", environment.REPO.parent / "shared")) / "data" / "churn" / "churn.csv"
DAY_ROWS = 700
SCALE = 10.0


@dataclass(frozen=True)
class Real:
    """The file, and what was trained on it."""

    columns: list[str]
    rows: list[dict[str, str]]
    version: ModelVersion
    figures: Figures


@pytest.fixture(scope="module")
def real(house: Laptop) -> Iterator[Real]:
    """Train on the file; `Phone` stands twice for two customers, so ids are made of row numbers."""
    if not FILE.exists():
        pytest.skip(f"{FILE.name} is not here (BATCH_SHARED)")
    with FILE.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = [{**row, data.RECORD_ID: f"row-{number}"} for number, row in enumerate(reader, 1)]
        columns = list(reader.fieldnames or [])
    path = house.folder / "real" / "churn.csv"
    data.write(path, columns, rows)
    prefix = f"{USE_CASE}/training/real/"
    house.cloud.s3.upload_file(str(path), house.cloud.bucket, prefix + path.name)
    asked = {"input_data_uri": names.s3_uri(house.cloud.bucket, prefix)}
    execution = training.train(house.api, house.cloud, quietly, asked)
    version, figures = training.candidate(house.cloud, execution)
    approved = training.approve(house.cloud, version, "Approved for the test on the real file.")
    yield Real(columns, rows, approved, figures)
    # The other tests' latest model is the one that was approved first.
    house.cloud.sagemaker.update_model_package(ModelPackageArn=approved.arn, ModelApprovalStatus="Rejected")


@pytest.fixture(scope="module")
def days(house: Laptop, real: Real) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Run two days of the file's own customers at once: as they are, and with minutes in another unit."""
    columns = [name for name in real.columns if name != data.LABEL]
    started = {}
    for kind in ("clean", "drifted"):
        day, rows = house.new_day(), real.rows[:: len(real.rows) // DAY_ROWS]
        if kind == "drifted":
            minutes = [name for name in columns if name.endswith(("Mins", "Charge"))]
            rows = [{**row, **{name: str(float(row[name]) * SCALE) for name in minutes}} for row in rows]
        path = house.folder / "days" / f"{day}.csv"
        data.write(path, columns, rows)
        house.cloud.put_day(day, path)
        house.rows[day] = len(rows)
        started[kind] = day, house.trigger(day, model_policy=real.version.arn)
    return {kind: (day, house.finish(run_id)) for kind, (day, run_id) in started.items()}


def test_it_trains_on_the_real_file(real: Real) -> None:
    """5,000 real customers with 21 attributes give a model that is far better than guessing."""
    assert (len(real.rows), len(real.columns)) == (5000, 21)
    assert real.figures.majority is not None
    assert real.figures.accuracy > real.figures.majority + 0.3
    assert real.figures.auc > 0.9


def test_a_real_day_is_published(house: Laptop, real: Real, days: dict[str, tuple[Any, dict[str, Any]]]) -> None:
    """A sample of the same customers is clean, and each of its records gets its score under its own id."""
    day, run = days["clean"]
    outcome = house.outcome(day, run)
    assert (outcome.run_state, outcome.verdict) == ("success", "clean"), outcome.reasons
    assert outcome.rows_given == outcome.rows_in == outcome.rows_out == outcome.rows_counted
    assert outcome.model_version == real.version.version


def test_a_real_day_in_another_unit_is_held(house: Laptop, days: dict[str, tuple[Any, dict[str, Any]]]) -> None:
    """Eight of nineteen columns ten times as large are a critical drift that names them."""
    outcome = house.outcome(*days["drifted"])
    assert (outcome.run_state, outcome.verdict, outcome.published) == ("success", "held", False), outcome.reasons
    assert any("Mins" in text and "baseline_drift" in text for text in outcome.top)
