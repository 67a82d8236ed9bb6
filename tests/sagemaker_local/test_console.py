"""The console: what it shows, that nothing of a job's can be injected into it, and how it looks in a browser."""

from __future__ import annotations

import http.client
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration import axe
from tests.integration.browser import MISSING, Browser, available
from tests.sagemaker_local.conftest import LocalAws
from tests.sagemaker_local.run_support import BUCKET, Run, again, definition, put
from tests.sagemaker_local.test_run_steps import RUNTIMES, create, shell  # noqa: F401 - RUNTIMES is the module's choice

EVIL = "<script>document.title='owned'</script>"
SCREENS = os.environ.get("CONSOLE_SCREENS", "")


def ask(aws: LocalAws, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(), dict(response.getheaders())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def finished(local_aws: LocalAws) -> Run:
    """An execution with parallel steps, a condition, a failure, and everything hostile that a job may say."""
    condition = {
        "Name": "Check",
        "Type": "Condition",
        "DependsOn": ["Left", "Right"],
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
            "IfSteps": [shell("Broken", f"echo \"{EVIL}\"; echo '{EVIL}' > /opt/ml/output/message; exit 1")],
            "ElseSteps": [shell("Never", "true")],
        },
    }
    text = definition(
        shell("Prepare", "echo '<b>bold</b>' > /opt/ml/processing/out/page.html"),
        shell("Left", "true", DependsOn=["Prepare"]),
        shell("Right", "true", DependsOn=["Prepare"]),
        condition,
        parameters=[{"Name": "Input", "Type": "String", "DefaultValue": f"s3://{BUCKET}/console/"}],
    )
    put(local_aws, "console/a & b.txt", EVIL)
    run = again(local_aws, create(local_aws, text))
    run.wait("Failed")
    return run


def page_of(run: Run) -> str:
    pipeline, _, identifier = run.arn.rpartition(":pipeline/")[2].partition("/execution/")
    return f"/_local/console/executions/{pipeline}/{identifier}"


def test_an_execution_shows_its_graph_steps_and_reasons(local_aws, finished):
    """Every step stands in the SVG with its state and in the table; what failed says why; links lead to the jobs."""
    status, html, _ = ask(local_aws, page_of(finished))
    assert status == 200
    svg = html[html.index("<svg") : html.index("</svg>")]
    for name, state in (("Prepare", "Succeeded"), ("Broken", "Failed"), ("Never", "not started")):
        assert re.search(rf"{name} \(Processing\): {state}", svg)
    assert svg.count('class="edge"') == 6
    assert "exit code: 1" in html
    job = re.search(r'href="(/_local/console/jobs/processing-job/[^"]*Prepare[^"]*)"', html)
    assert job
    status, html, _ = ask(local_aws, job[1])
    assert status == 200
    assert "ProcessingOutputConfig.Outputs[out].S3Output.S3Uri" in html
    status, html, _ = ask(local_aws, "/_local/console/")
    assert status == 200
    assert page_of(finished) in html


def test_nothing_can_be_injected(local_aws, finished):
    """Logs, messages, keys and contents of objects are text; no script may run whatever a page holds."""
    _, html, headers = ask(local_aws, page_of(finished))
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    broken = re.search(r'href="(/_local/console/jobs/processing-job/[^"]*Broken[^"]*)"', html)
    assert broken
    pages = [
        html,
        ask(local_aws, broken[1])[1],
        ask(local_aws, f"/_local/console/s3/{BUCKET}/{quote('console/a & b.txt', safe='')}")[1],
        ask(local_aws, f"/_local/console/s3/{BUCKET}/{quote(f'console/{EVIL}/', safe='')}")[1],
        ask(local_aws, f"/_local/console/groups/{quote(EVIL, safe='')}")[1],
    ]
    for each in pages:
        assert re.findall(r"<script[^>]*>", each) == ['<script src="/_local/console/live.js" defer>']
        assert "&lt;script&gt;" in each


def test_a_prefix_lists_what_lies_below_it(local_aws, finished):
    """Keys with every character lead to their object; the prefixes above are links."""
    status, html, _ = ask(local_aws, f"/_local/console/s3/{BUCKET}/console%2F")
    assert status == 200
    assert "console%2Fa%20%26%20b.txt" in html
    identifier = finished.arn.rpartition("/")[2]
    _, html, _ = ask(
        local_aws, f"/_local/console/s3/{BUCKET}/{quote(f'steps/{identifier}/Prepare/page.html', safe='')}"
    )
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert f'href="/_local/console/s3/{BUCKET}/steps%2F{identifier}%2F"' in html


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/_local/console/", "POST", {}, 405),
        ("/_local/console/", "GET", {"Host": "evil.example"}, 403),
        ("/_local/console/nothing", "GET", {}, 404),
        ("/_local/console/jobs/processing-job/nobody", "GET", {}, 404),
        ("/_local/console/executions/nobody/abc", "GET", {}, 404),
        ("/_local/console/s3/no-such-bucket/a", "GET", {}, 404),
        ("/_local/console/s3/..%2F..%2Fetc/passwd", "GET", {}, 404),
        ("/_local/console", "GET", {}, 307),
        ("/_local/console/style.css", "GET", {}, 200),
        ("/_local/console/live.js", "GET", {}, 200),
    ],
)
def test_what_is_wrong_is_told(local_aws, path, method, headers, status):
    """Reading only, from this machine and under its own name only, and a page that says what is not there."""
    found, html, _ = ask(local_aws, path, method, **headers)
    assert found == status
    assert status < 400 or "<h1>" in html


def screen(browser: Browser, name: str) -> None:
    if SCREENS:
        import base64

        taken = browser.devtools("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        Path(SCREENS, f"{name}.png").write_bytes(base64.b64decode(taken["data"]))


@pytest.mark.skipif(not available(), reason=MISSING)
def test_it_fits_a_phone_and_is_used_by_keyboard(local_aws, finished):
    """No page is wider than a phone; the first Tab skips to the content; every link of the graph can be reached."""
    with Browser() as browser:
        for width, height, scheme in ((1280, 900, "light"), (390, 844, "dark")):
            browser.resize(width, height)
            browser.theme(scheme)
            for name, path in (("index", "/_local/console/"), ("execution", page_of(finished))):
                browser.open(f"{local_aws.endpoint_url}{path}")
                overflow = browser.run("return document.documentElement.scrollWidth - window.innerWidth")
                assert overflow <= 0, (name, width, overflow)
                screen(browser, f"{name}-{width}")
        facts: Any = browser.run(
            """
            const links = [...document.querySelectorAll('svg a')];
            return {
              first: document.querySelector('a').textContent,
              named: [...document.querySelectorAll('svg, table, nav, pre')].length,
              links: links.map(link => { link.focus(); return document.activeElement === link; }),
              lang: document.documentElement.lang,
              title: document.title,
              headings: [...document.querySelectorAll('h1')].length,
              described: document.getElementById('graph-desc').textContent,
            }
            """
        )
    assert facts["first"] == "Skip to content"
    assert facts["links"] == [True] * 4
    assert (facts["lang"], facts["headings"]) == ("en", 1)
    assert "owned" not in facts["title"]
    assert "Broken: Failed" in facts["described"]
    assert json.dumps(facts)


@pytest.mark.skipif(not available(), reason=MISSING)
def test_axe_finds_nothing_and_states_change_as_they_do(local_aws, finished, tmp_path):
    """No page keeps anyone out; an open page follows its execution, tells what changed, and keeps the focus."""
    source = axe.source()
    signal = tmp_path / "go"
    text = definition(
        shell("First", "true"),
        shell("Second", f"until test -e {signal}; do sleep 0.05; done", DependsOn=["First"]),
    )
    run = again(local_aws, create(local_aws, text))
    run.wait_step("Second", "Executing")
    job = re.search(
        r'href="(/_local/console/jobs/processing-job/[^"]*Broken[^"]*)"', ask(local_aws, page_of(finished))[1]
    )
    assert job
    pages = ["/", job[1].removeprefix("/_local/console"), page_of(finished).removeprefix("/_local/console")]
    pages += [f"/s3/{BUCKET}/console%2F", "/nothing", page_of(run).removeprefix("/_local/console")]
    with Browser() as browser:
        for width, height, scheme in ((1280, 900, "dark"), (390, 844, "light")):
            browser.resize(width, height)
            browser.theme(scheme)
            for path in pages:
                browser.open(f"{local_aws.endpoint_url}/_local/console{path}")
                assert axe.problems(browser, source) == [], path
        # The last one is still open, and its second step runs.
        browser.run("document.querySelector('svg a').focus(); window.sameDocument = true")
        signal.touch()
        browser.wait("return document.getElementById('graph-desc').textContent.includes('Second: Succeeded')", 30)
        browser.wait("return document.querySelector('main').dataset.refresh === '0'", 30)
        said = browser.run("return document.getElementById('said').textContent")
        assert "Succeeded" in said
        assert browser.run("return window.sameDocument && document.activeElement === document.querySelector('svg a')")
        screen(browser, "followed")
    run.wait()
