"""A backfill as a person asks for it: in Airflow's own dialog, and what the days' calendar then shows.

Pictures go to `.local/test/pictures`, to be looked at; BATCH_PICTURES=docs/pictures makes those of the guide anew.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from local import environment
from local.house import House, Ports
from local.rest import FINAL_STATES
from local.secretfile import USER
from sagemaker_batch import names
from tests.integration import browser as browsers
from tests.integration.browser import Browser
from tests.integration.conftest import USE_CASE, Laptop, open_house, train_and_approve

pytestmark = [pytest.mark.timeout(600), pytest.mark.skipif(not browsers.available(), reason=browsers.MISSING)]
# Kinds of the last week's days, and what the calendar says of each.
WEEK = (
    ("clean", "published"),
    ("clean", "published"),
    ("nulls", "warned"),
    ("clean", "published"),
    ("drifted", "held"),
    ("clean", "published"),
    ("clean", "published"),
)
ACTIVE_RUNS = 4
DAG = names.batch_dag(USE_CASE)
PICTURES = environment.REPO / ".local" / "test" / "pictures"
# What is pictured is as wide as the guide shows it.
WIDTH = 960
DIALOG = (
    "[...document.querySelectorAll('[role=dialog][data-state=open]')].find(it => it.innerText.includes('Backfill'))"
)
BUTTON = "[...{}.querySelectorAll('button')].find(it => it.innerText.trim() === {!r})"
# React hears of a value only by the event that typing makes.
FILL = f"""
const fields = [...{DIALOG}.querySelectorAll(arguments[0])];
const write = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
arguments[1].forEach((value, place) => {{
  write.call(fields[place], value);
  for (const event of ['input', 'change']) fields[place].dispatchEvent(new Event(event, {{bubbles: true}}));
}});
"""


@pytest.fixture(scope="module")
def house() -> Iterator[Laptop]:
    """A house with an approved model, whose days nobody has scored."""
    with tempfile.TemporaryDirectory(prefix="batch-house-") as folder, House(Path(folder), Ports.free()) as house:
        laptop = open_house(house)
        train_and_approve(laptop)
        yield laptop
        laptop.close()


@pytest.fixture
def ui(house: Laptop) -> Iterator[Browser]:
    """A window in which a person is logged in."""
    with Browser() as opened:
        opened.address = house.api.url
        opened.log_in(opened.address, USER, house.house.secrets["password"])
        opened.theme("light")
        yield opened


def keep(page: Browser, name: str) -> None:
    """Take a picture, and hand it to the guide where it was asked for."""
    picture = PICTURES / f"{name}.png"
    page.screenshot(picture)
    if wanted := os.environ.get("BATCH_PICTURES"):
        shutil.copy(picture, Path(wanted) / picture.name)


def ask(page: Browser, days: list[date]) -> None:
    """Fill in the dialog as docs/backfill.md says, and send it."""
    page.resize(WIDTH, 1180)
    page.open(f"{page.address}/dags/{DAG}")
    page.wait(f"return {BUTTON.format('document', 'Trigger')} !== undefined")
    page.run(f"{BUTTON.format('document', 'Trigger')}.click()")
    page.wait(f"return {DIALOG} !== undefined")
    page.run(f"[...{DIALOG}.querySelectorAll('label')].find(it => it.innerText.startsWith('Backfill')).click()")
    page.wait(f"return {DIALOG}.innerText.includes('Reprocess Behavior')")
    page.run(FILL, "input[type=datetime-local]", [f"{days[0]}T00:00", f"{days[-1]}T00:00"])
    page.run(FILL, "input[type=number]", [str(ACTIVE_RUNS)])
    page.wait(f"return {DIALOG}.innerText.includes('{len(days)} runs will be triggered')")
    page.wait(f"return !{BUTTON.format(DIALOG, 'Run Backfill')}.disabled")
    page.wait(f"return {DIALOG}.getAnimations({{subtree: true}}).length === 0")


def test_the_dialog_runs_exactly_the_days_of_its_range(house: Laptop, ui: Browser) -> None:
    """Both ends included, each day once; the calendar tells what became of each."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    days = [yesterday - timedelta(days=ago) for ago in reversed(range(len(WEEK)))]
    for day, (kind, _) in zip(days, WEEK, strict=True):
        house.put(day, kind)
    ask(ui, days)
    keep(ui, "backfill-dialog")
    ui.run(f"{BUTTON.format(DIALOG, 'Run Backfill')}.click()")

    house.wait(lambda: len(house.api.runs(DAG)) >= len(days), "the dialog's runs")
    house.wait(lambda: all(run["state"] in FINAL_STATES for run in house.api.runs(DAG)), "the runs to end", 300)
    runs = house.api.runs(DAG)
    assert sorted(run["data_interval_start"][:10] for run in runs) == [day.isoformat() for day in days]
    assert {run["run_type"] for run in runs} == {"backfill"}

    ui.resize(WIDTH, 1000)
    ui.open(f"{ui.address}/sagemaker-batch/use-cases/{USE_CASE}")
    ui.wait("return document.querySelector('.month a.cell') !== null")
    cells = [ui.run(f"return document.querySelector(`.month a[href*='/days/{day}/']`).textContent") for day in days]
    assert [said in cell for cell, (_, said) in zip(cells, WEEK, strict=True)] == [True] * len(days), cells
    keep(ui, "backfill-days")
