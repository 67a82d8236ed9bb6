"""The pages where their readers meet them: in Airflow's own UI, over runs that were really run, behind its login.

Pictures go to `.local/test/pictures`, to be looked at.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from local import environment
from local.secretfile import USER
from sagemaker_batch import names
from sagemaker_batch.report import figures
from tests.integration import browser as browsers
from tests.integration.axe import problems
from tests.integration.browser import Browser
from tests.integration.conftest import USE_CASE, Laptop
from tests.integration.played import Day, Played

pytestmark = [pytest.mark.timeout(900), pytest.mark.skipif(not browsers.available(), reason=browsers.MISSING)]
SIZES = {"wide": (1440, 900), "tablet": (800, 1000), "phone": (390, 844)}
PICTURES = environment.REPO / ".local" / "test" / "pictures"
PAGES = "/sagemaker-batch"
FRAME = "iframe[src*='sagemaker-batch']"
SANDBOX = {"allow-scripts", "allow-same-origin", "allow-forms"}
BATCH, TRAIN = names.batch_dag(USE_CASE), names.train_dag(USE_CASE)
# Airflow's own pages begin empty and fill up; the frame is there before what it shows.
LINK = "return [...document.querySelectorAll('a')].some(link => link.textContent.trim() === '{}')"
FILLED = "return document.querySelector('main h1') !== null && document.readyState === 'complete'"


@pytest.fixture(scope="module")
def window(house: Laptop, played: Played) -> Iterator[Browser]:
    with Browser() as opened:
        opened.address = house.api.url
        opened.resize(*SIZES["wide"])
        yield opened


@pytest.fixture
def ui(house: Laptop, window: Browser) -> Browser:
    """A window in which a person is logged in."""
    window.log_in(window.address, USER, house.house.secrets["password"])
    window.resize(*SIZES["wide"])
    window.theme("light")
    return window


def run_path(run: dict[str, Any]) -> str:
    return f"/dags/{run['dag_id']}/runs/{quote(run['dag_run_id'], safe='')}"


def buttons(house: Laptop, run: dict[str, Any], task_id: str) -> dict[str, str]:
    return house.buttons(run["dag_id"], run["dag_run_id"], task_id)


def enter(page: Browser, sign: str) -> None:
    """Go into the frame that Airflow puts a page into, once the page shows a sign of its own."""
    page.wait(f'return document.querySelector("{FRAME}") !== null')
    sandbox = page.run(f'return document.querySelector("{FRAME}").getAttribute("sandbox")')
    assert set(sandbox.split()) == SANDBOX
    page.enter_frame(FRAME)
    page.wait(FILLED)
    page.wait(f"return document.body.textContent.includes({sign!r})")


def click_link(page: Browser, words: str) -> None:
    """Click a link by its words, as a person finds it."""
    page.wait(LINK.format(words))
    page.run(
        "[...document.querySelectorAll('a')].find(link => link.textContent.trim() === arguments[0]).click()", words
    )


def picture(page: Browser, name: str) -> None:
    """Take a picture in three sizes of what Airflow shows; the frame's page fits each."""
    for size, measures in SIZES.items():
        page.resize(*measures)
        over = page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, (name, size, over)
        page.leave_frame()
        page.screenshot(PICTURES / f"airflow-{name}-{size}.png")
        page.enter_frame(FRAME)
    page.resize(*SIZES["wide"])


def held(played: Played) -> Day:
    return played.by_hand["drifted"]


def test_a_button_leads_through_the_login_to_what_it_names(house: Laptop, window: Browser, played: Played) -> None:
    """Report, record, manifest: who is not logged in is sent to Airflow's form, and from there to the page itself."""
    window.devtools("Network.clearBrowserCookies", {})
    report = buttons(house, held(played).run, "alert_critical")["Report"]
    window.open(report)
    assert "Please log in" in window.text()
    window.click("a.up")
    window.wait("return document.querySelector('input[name=username]') !== null")
    window.type("input[name=username]", USER)
    window.type("input[name=password]", house.house.secrets["password"])
    window.click("button[type=submit]")
    window.wait(f"return location.href === {report!r} && document.querySelector('main.report h1') !== null")
    assert "Violations, worst first" in window.text()
    assert "held" in window.text()


def test_tasks_have_the_buttons_that_make_sense(house: Laptop, played: Played) -> None:
    """The execution where it is started and waited for; report, record and manifest where there are such."""
    bad, good = held(played).run, played.backfilled["clean"].run
    judged = {"Report", "Verdict record"}
    expected = {
        "start_batch_monitor": {"Pipeline execution"},
        "wait_for_batch_monitor": {"Pipeline execution"},
        "assess_batch": judged,
        "branch_on_violations": judged,
        "hold_predictions": judged,
        "alert_critical": judged,
        "write_report": judged,
    }
    assert {task: set(buttons(house, bad, task)) for task in expected} == expected
    assert set(buttons(house, good, "publish_predictions")) == {"Report", "Manifest"}
    assert set(buttons(house, good, "write_report")) == judged | {"Manifest"}
    trained = next(run for run in house.api.runs(TRAIN) if run["state"] == "success")
    review = ("read_candidate", "review_candidate", "write_training_report", "alert_approval")
    found = {task: buttons(house, trained, task) for task in review}
    assert {task: set(links) for task, links in found.items()} == {key: {"Report"} for key in review}
    assert len({links["Report"] for links in found.values()}) == 1


def test_the_buttons_are_on_the_tasks_page_and_open_what_they_say(house: Laptop, ui: Browser, played: Played) -> None:
    """Clicked in Airflow's UI: the report; opened by their addresses: record, manifest, and the console's page."""
    ended = played.backfilled["clean"]
    ui.open(f"{ui.address}{run_path(ended.run)}/tasks/publish_predictions/details")
    ui.wait(LINK.format("Manifest"))
    ui.screenshot(PICTURES / "airflow-task-wide.png")
    report = buttons(house, ended.run, "publish_predictions")["Report"]
    ui.run("[...document.querySelectorAll('a')].find(a => a.textContent.trim() === 'Report').target = '_self'")
    click_link(ui, "Report")
    ui.wait("return document.querySelector('main.report h1') !== null")
    assert urlsplit(ui.run("return location.href")).path == urlsplit(report).path
    links = {**buttons(house, ended.run, "publish_predictions"), **buttons(house, ended.run, "write_report")}
    manifest = house.cloud.manifest(ended.day)
    assert manifest is not None
    ui.open(links["Manifest"])
    assert manifest["batch_day"] in ui.text()
    assert '"predictions"' in ui.text()
    ui.open(links["Verdict record"])
    assert '"verdict": "clean"' in ui.text()
    execution = names.execution_id(house.api.xcom(BATCH, ended.run["dag_run_id"], "start_batch_monitor"))
    ui.open(buttons(house, ended.run, "start_batch_monitor")["Pipeline execution"])
    assert execution in ui.text()
    assert "Succeeded" in ui.text()


def test_from_the_navigation_to_a_report(ui: Browser, played: Played) -> None:
    """Browse, Batch days, the use case, a day that needs someone: all within Airflow's sandboxed frame."""
    ui.open(f"{ui.address}/")
    browse = "[...document.querySelectorAll('button')].find(item => item.textContent.trim() === 'Browse')"
    ui.wait(f"return {browse} !== undefined")  # it comes after the rest, once Airflow knows what the reader may see
    ui.run(f"const open = {browse}; open.focus(); open.click()")
    click_link(ui, "Batch days")
    enter(ui, USE_CASE)
    picture(ui, "overview")
    ui.run("document.querySelector(`a[href$='/use-cases/${arguments[0]}']`).click()", USE_CASE)
    ui.wait("return document.querySelector('.todo') !== null")
    picture(ui, "use-case")
    ui.run("document.querySelector(`.todo a[href*='/days/${arguments[0]}/']`).click()", str(held(played).day))
    ui.wait("return document.querySelector('main.report h1') !== null")
    assert figures.day(held(played).day) in ui.text()
    picture(ui, "report")
    ui.click("a.up")
    ui.leave_frame()
    ui.wait(f"return location.pathname.startsWith('/dags/{BATCH}/runs/')")


def test_the_tabs_of_a_dag_and_of_a_run(ui: Browser, played: Played) -> None:
    """The DAG's tab has its use case, the run's tab its own report, although a run's id has signs that links lose."""
    ui.open(f"{ui.address}/dags/{BATCH}")
    click_link(ui, "Batch days")
    enter(ui, "Drift by feature")
    assert USE_CASE in ui.run("return document.querySelector('main h1').textContent")
    ui.leave_frame()
    ui.screenshot(PICTURES / "airflow-dag-tab-wide.png")
    ui.open(f"{ui.address}{run_path(held(played).run)}")
    click_link(ui, "Batch report")
    enter(ui, "Violations, worst first")
    assert figures.day(held(played).day) in ui.text()
    ui.leave_frame()
    ui.screenshot(PICTURES / "airflow-run-tab-wide.png")


def test_a_frame_is_dark_where_airflow_is(ui: Browser, played: Played) -> None:
    """As the reader chose it in Airflow, whatever the system prefers."""
    ui.open(f"{ui.address}/")
    ui.run("localStorage.setItem('theme', 'dark')")
    try:
        ui.open(f"{ui.address}{run_path(held(played).run)}/plugin/sagemaker-batch-run")
        ui.wait("return document.documentElement.classList.contains('dark')")
        enter(ui, "Violations, worst first")
        ui.wait("return document.documentElement.dataset.theme === 'dark'")
        assert ui.run("return getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        ui.leave_frame()
        ui.screenshot(PICTURES / "airflow-run-dark-wide.png")
    finally:
        ui.run("localStorage.removeItem('theme')")


def test_axe_finds_nothing_on_pages_of_real_runs(house: Laptop, ui: Browser, axe: str, played: Played) -> None:
    """Overview with use cases that were never deployed, the use case, a held and a published day, a training."""
    trained = next(run for run in house.api.runs(TRAIN) if run["state"] == "success")
    addresses = {
        "overview": f"{ui.address}{PAGES}/",
        "use-case": f"{ui.address}{PAGES}/use-cases/{USE_CASE}",
        "held": buttons(house, held(played).run, "write_report")["Report"],
        "published": buttons(house, played.backfilled["nulls"].run, "write_report")["Report"],
        "training": buttons(house, trained, "write_training_report")["Report"],
    }
    found = []
    for size, scheme in (("wide", "light"), ("phone", "dark")):
        ui.resize(*SIZES[size])
        ui.theme(scheme)
        for name, address in addresses.items():
            ui.open(address)
            found += [(name, size, *item) for item in problems(ui, axe)]
            ui.screenshot(PICTURES / f"real-{name}-{size}-{scheme}.png", whole=True)
    assert found == []
