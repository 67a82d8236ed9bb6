"""A day of the example by its batch pipeline: the local AWS alone, without Airflow."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

from local import data
from local.airflow import ENVIRONMENT
from local.cloud import Cloud
from local.house import House, Ports
from sagemaker_batch import names, registry

USE_CASE = "churn"
SEED, FIRST = 7, date(2026, 3, 3)


def measure(days: int) -> tuple[list[float], int]:
    """Return the seconds of each day's execution, from its creation to its end, and the rows of a day."""
    with tempfile.TemporaryDirectory() as folder, House(Path(folder) / "house", Ports.free()) as house:
        house.start_aws()
        cloud = Cloud(house.aws.url, USE_CASE)
        training = Path(folder) / "training.csv"
        data.write_training(training, SEED)
        cloud.put_training(training)
        cloud.run(names.train_pipeline(USE_CASE, ENVIRONMENT))
        (package,) = cloud.packages()
        registry.approve(cloud.sagemaker, package["ModelPackageArn"], "For the measurement.")
        found, rows = [], 0
        for number in range(days):
            day = FIRST + timedelta(days=number)
            file = Path(folder) / f"{day}.csv"
            rows = data.write_day(file, "clean", day, SEED)
            cloud.put_day(day, file)
            found.append(cloud.seconds(cloud.run_day(day)))
        return found, rows
