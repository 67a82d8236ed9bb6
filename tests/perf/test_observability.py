"""What leaves a real Airflow for those who watch it: metrics over StatsD and lineage over HTTP, to receivers of ours.

A training and two days are run by the DAGs; what arrives is held against docs/observability.md and the manifest.
"""

import json
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from local import environment
from local.house import House, Ports
from local.ports import LOOPBACK
from sagemaker_batch import names
from tests.integration.conftest import USE_CASE, Laptop, open_house, train_and_approve

pytestmark = pytest.mark.timeout(900)
PAGE = (environment.REPO / "docs" / "observability.md").read_text(encoding="utf-8")
KINDS = ("clean", "drifted")
PREFIX = "airflow.sagemaker_batch."
NAMESPACE = "house-of-the-test"
HTTP_OK = 200
# What a placeholder of the page's names stands for.
STANDS_FOR = {"use case": r"\w+", "verdict": "clean|warned|held|failed", "service": r"\w+", "operation": r"\w+"}
KIND = {"counter": "c", "gauge": "g"}


@dataclass
class Received:
    """Both receivers, on free ports of the loopback, and what they took in."""

    lines: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Listen."""
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((LOOPBACK, 0))
        self.udp.settimeout(0.2)
        events = self.events

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(HTTP_OK)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self.http = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.listen), threading.Thread(target=self.http.serve_forever)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.ended.set()
        self.http.shutdown()
        for thread in self.threads:
            thread.join()
        self.http.server_close()
        self.udp.close()

    def listen(self) -> None:
        while not self.ended.is_set():
            try:
                self.lines += self.udp.recv(65_536).decode().splitlines()
            except TimeoutError:
                continue

    def settings(self) -> dict[str, str]:
        """Return what a person would set in Airflow's configuration, and nothing of ours."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": LOOPBACK,
            "AIRFLOW__METRICS__STATSD_PORT": str(self.udp.getsockname()[1]),
            "AIRFLOW__OPENLINEAGE__NAMESPACE": NAMESPACE,
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "http", "url": f"http://{LOOPBACK}:{self.http.server_port}", "endpoint": "api/v1/lineage"}
            ),
        }

    def metrics(self) -> dict[str, list[tuple[str, float]]]:
        """Return ours by name without Airflow's prefix: StatsD's type and value of each, in order."""
        found: dict[str, list[tuple[str, float]]] = {}
        for line in list(self.lines):
            name, _, rest = line.partition(":")
            value, _, kind = rest.partition("|")
            if name.startswith(PREFIX):
                found.setdefault(name.removeprefix("airflow."), []).append((kind.partition("|")[0], float(value)))
        return found

    def completed(self, dag: str, task: str) -> list[dict[str, Any]]:
        """Return the events of a task's success."""
        job = (NAMESPACE, f"{dag}.{task}")
        return [
            event
            for event in list(self.events)
            if event["eventType"] == "COMPLETE" and (event["job"]["namespace"], event["job"]["name"]) == job
        ]


@dataclass
class Watched:
    """What was run, and what was received of it."""

    laptop: Laptop
    received: Received
    days: dict[str, date]
    runs: dict[date, dict[str, Any]]

    def event(self, dag: str, task: str) -> dict[str, Any]:
        """Return the one event of a task's success, once it is there: it leaves beside the task."""
        self.laptop.wait(lambda: bool(self.received.completed(dag, task)), f"the lineage of {task}", 60)
        (event,) = self.received.completed(dag, task)
        return event


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with (
        Received() as received,
        tempfile.TemporaryDirectory(prefix="batch-house-") as folder,
        House(Path(folder), Ports.free(), overrides=received.settings()) as house,
    ):
        laptop = open_house(house)
        train_and_approve(laptop)
        days = dict(zip(KINDS, laptop.new_days(len(KINDS)), strict=True))
        for kind, day in days.items():
            laptop.put(day, kind)
        yield Watched(laptop, received, days, laptop.backfill(list(days.values())))
        laptop.close()


def documented() -> dict[str, str]:
    """Return the page's metrics, names as expressions, with StatsD's type of each."""
    rows = re.findall(r"^\| `(sagemaker_batch\.[^`]+)` \| (counter|gauge) \|", PAGE, re.MULTILINE)
    found = {}
    for name, kind in rows:
        parts = re.split(r"<([^>]+)>", name)
        parts[::2] = map(re.escape, parts[::2])
        parts[1::2] = [f"({STANDS_FOR[part]})" for part in parts[1::2]]
        found["".join(parts)] = KIND[kind]
    assert found
    return found


def test_every_metric_that_arrives_is_documented_and_the_other_way_round(watched: Watched) -> None:
    """By name and by kind, on the wire."""
    page, arrived = documented(), watched.received.metrics()
    unknown = [name for name in arrived if not any(re.fullmatch(pattern, name) for pattern in page)]
    assert unknown == []
    unseen = [pattern for pattern in page if not any(re.fullmatch(pattern, name) for name in arrived)]
    assert unseen == []
    for pattern, kind in page.items():
        kinds = {got for name in arrived if re.fullmatch(pattern, name) for got, _ in arrived[name]}
        assert kinds == {kind}, pattern


def test_what_is_counted_is_what_happened(watched: Watched) -> None:
    """One verdict a day; each day's figures are those of its verdict record; as many executions as were started."""
    arrived, cloud = watched.received.metrics(), watched.laptop.cloud
    records = [record for day in watched.days.values() for record in cloud.verdicts(day)]
    assert arrived[f"sagemaker_batch.verdict.clean.{USE_CASE}"] == [("c", 1.0)]
    assert arrived[f"sagemaker_batch.verdict.held.{USE_CASE}"] == [("c", 1.0)]
    assert arrived[f"sagemaker_batch.training.registered.{USE_CASE}"] == [("c", 1.0)]

    def values(what: str) -> list[float]:
        return sorted(value for _, value in arrived[f"sagemaker_batch.{what}.{USE_CASE}"])

    assert values("violations") == sorted(len(record["violations"]) for record in records)
    assert values("rows_in") == sorted(record["rows_in"] for record in records)
    assert values("estimated_cost_usd") == pytest.approx(sorted(record["cost"]["usd"] for record in records))
    started = sum(value for _, value in arrived["sagemaker_batch.api_calls.sagemaker.StartPipelineExecution"])
    assert started == 1 + len(KINDS)


def places(datasets: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return datasets by their whole name."""
    return {f"{item['namespace']}/{item['name']}": item for item in datasets}


def test_a_publication_names_data_model_version_and_predictions(watched: Watched) -> None:
    """Inputs and outputs are those of the manifest, with the model's number and the rows."""
    event = watched.event(names.batch_dag(USE_CASE), "publish_predictions")
    cloud, day = watched.laptop.cloud, watched.days["clean"]
    manifest = cloud.manifest(day)
    assert manifest is not None
    read, made = places(event["inputs"]), places(event["outputs"])
    group = manifest["model_package_arn"].rpartition("/")[0].replace(":model-package/", "/model-package/")
    assert set(read) == {*(names.s3_uri(cloud.bucket, item["key"]) for item in manifest["inputs"]), group}
    assert read[group]["facets"]["version"]["datasetVersion"] == str(manifest["model_package_version"]) == "1"
    own = names.s3_uri(cloud.bucket, names.manifest_key(USE_CASE, day))
    assert set(made) == {*(item["uri"] for item in manifest["predictions"]), own}
    for item in manifest["predictions"]:
        assert made[item["uri"]]["outputFacets"]["outputStatistics"]["rowCount"] == item["rows"] > 0
    assert event["run"]["facets"]["externalQuery"]["externalQueryId"] == manifest["execution_arn"]


def test_a_training_names_its_data_and_the_version_that_came_of_it(watched: Watched) -> None:
    """The version that the day's publication then reads."""
    event = watched.event(names.train_dag(USE_CASE), "read_candidate")
    assert set(places(event["inputs"])) == {
        f"s3://{watched.laptop.cloud.bucket}/{names.training_input_prefix(USE_CASE)}".rstrip("/")
    }
    (version,) = event["outputs"]
    assert version["facets"]["version"]["datasetVersion"] == "1"
    published = places(watched.event(names.batch_dag(USE_CASE), "publish_predictions")["inputs"])
    assert f"{version['namespace']}/{version['name']}" in published


def test_a_held_day_publishes_nothing_and_so_has_no_such_lineage(watched: Watched) -> None:
    """Its task was skipped; the only completed publication is the clean day's."""
    assert watched.laptop.states(watched.runs[watched.days["drifted"]])["publish_predictions"] == "skipped"
    watched.event(names.batch_dag(USE_CASE), "publish_predictions")
