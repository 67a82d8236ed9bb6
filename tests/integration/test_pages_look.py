"""Every page in a real Chromium, populated with use cases and days made up: nothing keeps anyone out, all of it fits.

Pictures go to `.local/test/pictures`, to be looked at; BATCH_PICTURES=docs/pictures makes the README's two anew.
"""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local import environment
from sagemaker_batch.report import training_report
from sagemaker_batch.report.scores import BINS, ScoreCounts
from tests.integration import browser as browsers
from tests.integration.axe import problems
from tests.integration.browser import Browser
from tests.integration.pages_server import ROOT, serve
from tests.perf.made_s3 import MadeS3
from tests.unit.plugin.made_days import drift, numeric, record, textual, violation
from tests.unit.plugin.test_run_report import drawn
from tests.unit.plugin.test_training_report import facts, metrics, version

pytestmark = pytest.mark.skipif(not browsers.available(), reason=browsers.MISSING)
SIZES = {"wide": (1440, 900), "tablet": (800, 1000), "phone": (390, 844)}
USE_CASES, DAYS = 8, 100
PICTURES = environment.REPO / ".local" / "test" / "pictures"
IN_THE_README = {"use-case-tablet-light": "use-case.png", "run-tablet-light": "report.png"}
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
ADDRESSES = {
    "overview": f"{ROOT}/",
    "use-case": f"{ROOT}/use-cases/use_case7",
    "run": f"{ROOT}/use-cases/use_case7/days/{YESTERDAY}/exec00000001",
    "training": f"{ROOT}/use-cases/use_case7/trainings/train3",
}


def run_report() -> str:
    names = ["Day Mins", "Eve Mins", "Intl Charge"]
    violations = [*map(violation, names), violation("State", "categorical_values_check", "Value XX is unknown")]
    quiet = [numeric(f"Feature {number}", number / 10) for number in range(12)]
    before = [*map(numeric, names), textual("State", AK=40, AL=60, AR=20), *quiet]
    now = [*(numeric(name, 4) for name in names), textual("State", AK=30, AL=50, XX=40), *quiet]
    drifts = [drift(name, 0.6) for name in names]
    said = ["4 of 16 monitored features (25.0%) violate their constraints; critical from 20%."]
    counted = {"rows_in": 700, "rows_scorable": 700, "monitored_features": 16, "share": 0.25, "reasons": said}
    day = record("held", violations, day=str(YESTERDAY), **counted)
    scored = {"today_scores": score_counts(700, 9), "training_scores": score_counts(900, 6), "rows_out": 700}
    earlier = [score_counts(700, 5 + number % 3).counts for number in range(30)]
    return drawn(day, before, now, drifts, **scored, earlier=earlier)


def score_counts(rows: int, peak: int) -> ScoreCounts:
    """Return scores that fall off on both sides of a bin."""
    weights = [1 / (1 + abs(place - peak)) for place in range(BINS)]
    counts = [round(rows * weight / sum(weights)) for weight in weights]
    total = sum(count * (place + 0.5) / BINS for place, count in enumerate(counts))
    return ScoreCounts(0.0, 1.0, counts, total)


def training() -> str:
    predictions = [((number % 97) / 97, int((number * 7) % 97 > 50 - number % 97)) for number in range(500)]
    return training_report.render(facts(predictions=predictions, in_use=version(2), in_use_metrics=metrics(0.8)))


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    documents = {"/exec00000001.html": run_report(), "training/train3.html": training()}
    for number, accuracy in enumerate((0.871, 0.884, 0.902), start=1):
        found = {"accuracy": {"value": accuracy}, "auc": {"value": accuracy + 0.03}}
        documents[f"/train{number}/evaluation.json"] = json.dumps({"binary_classification_metrics": found})
    shown = {"features": 20, "documents": documents, "versions": (128, 116, 103), "judged": DAYS - 9}
    s3 = MadeS3(USE_CASES, DAYS, **shown, today=TODAY)
    threading.Thread(target=s3.serve_forever, daemon=True).start()
    try:
        with serve(s3.url, USE_CASES) as (address, token), Browser() as opened:
            opened.devtools("Network.setCookie", {"name": "_token", "value": token, "url": address, "httpOnly": True})
            opened.address = address
            yield opened
    finally:
        s3.shutdown()
        s3.server_close()


@pytest.fixture
def look(window: Browser) -> Callable[..., Browser]:
    def open_page(path: str, size: str = "wide", scheme: str = "light") -> Browser:
        window.resize(*SIZES[size])
        window.theme(scheme)
        window.open(window.address + path)
        return window

    return open_page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(look: Callable[..., Browser], axe: str, scheme: str) -> None:
    """On every populated page, in both themes, on a desk and on a phone."""
    found = []
    for name, path in ADDRESSES.items():
        for size in ("wide", "phone"):
            page = look(path, size, scheme)
            found += [(name, size, *item) for item in problems(page, axe)]
    assert found == [], json.dumps(found, indent=1)


@pytest.mark.parametrize("size", list(SIZES))
def test_every_page_fits_and_is_pictured(look: Callable[..., Browser], size: str) -> None:
    """Nothing scrolls sideways but tables within themselves, in either theme."""
    for name, path in ADDRESSES.items():
        for scheme in ("light", "dark"):
            page = look(path, size, scheme)
            over = page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, (name, size, over)
            dark = page.run("return getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
            assert dark == (scheme == "dark")
            picture = PICTURES / f"{name}-{size}-{scheme}.png"
            page.screenshot(picture, whole=True)
            if (wanted := os.environ.get("BATCH_PICTURES")) and picture.stem in IN_THE_README:
                shutil.copy(picture, Path(wanted) / IN_THE_README[picture.stem])


def test_a_day_is_told_by_sign_and_word_and_leads_to_its_report(look: Callable[..., Browser]) -> None:
    """Beside the colour; a click opens the report within the same frame."""
    page = look(ADDRESSES["use-case"])
    cells = page.run("return [...document.querySelectorAll('.month a.cell')].map(cell => cell.textContent)")
    assert len(cells) == DAYS, page.text()
    assert all(any(word in cell for word in ("published", "warned", "held")) for cell in cells)
    assert all(any(sign in cell for sign in "\u2713!\u25a0") for cell in cells)
    page.run("document.querySelector(`.month a[href='${arguments[0]}']`).click()", ADDRESSES["run"])
    page.wait("return document.querySelector('main.report h1') !== null")
    assert "Violations, worst first (4)" in page.text()


def test_a_phone_shows_the_newest_days_of_the_drift(look: Callable[..., Browser]) -> None:
    """Thirty days do not fit: the last one is in view, and what it is about beside it."""
    page = look(ADDRESSES["use-case"], "phone")
    seen = page.run(
        "const last = document.querySelector('.heat thead th:last-child').getBoundingClientRect();"
        "const name = document.querySelector('.heat tbody th').getBoundingClientRect();"
        "return last.right <= document.documentElement.clientWidth && name.left >= 0 && name.right <= last.left"
    )
    assert seen


def test_the_keyboard_reaches_everything(look: Callable[..., Browser]) -> None:
    """The first stop leads to the content; every link can be reached, and is seen when it is."""
    page = look(ADDRESSES["use-case"])
    hidden = page.run(
        "return [...document.querySelectorAll('a[href]')]"
        ".filter(link => link.tabIndex < 0 || !link.getClientRects().length).map(link => link.href)"
    )
    assert hidden == []
    assert page.run("return document.querySelector('a[href], button').getAttribute('href')") == "#content"
    for _ in range(2):
        key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
        page.devtools("Input.dispatchKeyEvent", {"type": "keyDown", **key})
        page.devtools("Input.dispatchKeyEvent", {"type": "keyUp", **key})
        assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page.run("return document.activeElement.textContent") == "All use cases"


def test_a_report_reads_without_script_and_network(window: Browser, tmp_path: Path) -> None:
    """The stored file alone, opened from a disk: all of it there, nothing asked of anyone, and printable."""
    file = tmp_path / "report.html"
    file.write_text(run_report(), encoding="utf-8")
    window.devtools("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        window.open(file.as_uri())
        printed = window.devtools("Page.printToPDF", {"printBackground": True})["data"]
    finally:
        window.devtools("Emulation.setScriptExecutionDisabled", {"value": False})
    assert window.run("return performance.getEntriesByType('resource').map(item => item.name)") == []
    assert "Violations, worst first" in window.text()
    assert window.run("return document.querySelectorAll('svg.chart').length") == 4
    assert len(printed) > 10_000
