"""The pages, behind Airflow's own login and permissions: who sees what, and what a page is made of."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest
from airflow.api_fastapi.app import init_auth_manager, purge_cached_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from botocore.exceptions import ClientError
from fastapi import FastAPI

from sagemaker_batch import day_index, names, quality_index, records
from sagemaker_batch.report.write import report_record
from sagemaker_batch.views import models, reading
from sagemaker_batch.views.app import create_app
from sagemaker_batch.views.mount import LazyApp, external_views
from tests.unit.plugin import metadata
from tests.unit.plugin.made_days import HOSTILE, record, violation
from tests.unit.plugin.picky_auth import OUTSIDER
from tests.unit.plugin.test_run_report import Page, drawn
from tests.unit.plugin.test_training_report import version

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ROOT = "/sagemaker-batch"
TODAY = datetime.now(UTC).date()
DAY = TODAY - timedelta(days=3)
USERS = {"reader": "viewer", OUTSIDER: "viewer", "boss": "admin"}


@pytest.fixture(scope="session")
def database():
    """Airflow's metadata, made once, with the DAGs of two use cases."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    metadata.make()
    with create_session() as session:
        session.execute(delete(DagRun))  # those of tests before this one, which share the process and its metadata
        session.merge(DagBundleModel(name="made"))
        session.flush()
        for dag_id in ("churn_batch_monitor", "churn_train_baseline", "fraud_batch_monitor", "other"):
            session.merge(DagModel(dag_id=dag_id, bundle_name="made", fileloc="f", is_paused=False, is_stale=False))


class Browser:
    """Asks the application without a network."""

    def __init__(self, app):
        self.app = app

    def ask(self, method, path, headers):
        async def asked():
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
                return await client.request(method, path, headers={"Accept": "text/html", **headers})

        return asyncio.run(asked())


@pytest.fixture
def client(database, s3, bucket, monkeypatch):
    """A browser at the pages as Airflow mounts them, with auth on."""
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "tests.unit.plugin.picky_auth.PickyAuthManager")
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")
    monkeypatch.setenv(
        "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test alone, long enough for HMAC with SHA-512: " + "x" * 32
    )
    purge_cached_app()
    reading.reader.cache_clear()
    app = FastAPI()
    init_auth_manager(app)
    app.mount(ROOT, LazyApp())
    yield Browser(app)
    reading.reader.cache_clear()
    purge_cached_app()


def token(user):
    from airflow.api_fastapi.app import get_auth_manager

    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=user, role=USERS[user]))


def get(client, path, user=None, **headers):
    if user:
        headers["Authorization"] = f"Bearer {token(user)}"
    return client.ask("GET", f"{ROOT}{path}", headers)


def put(s3, bucket, key, content):
    s3.put_object(Bucket=bucket, Key=key, Body=content if isinstance(content, (str, bytes)) else json.dumps(content))


def deploy(s3, bucket, use_case="churn", description="Who leaves", zone="UTC"):
    case = {
        "description": description,
        "owners": ["team"],
        "schedule": {"timezone": zone, "batch": "0 0 * * *", "start_date": "2026-01-01"},
        "data": {},
    }
    content = {"use_case": case, "model_package_group": f"{use_case}-local"}
    put(s3, bucket, names.deployment_key(use_case), content)


def play(s3, bucket, verdict="warned", *, day=DAY, execution="abc123", feature="f1", **changes):
    """Leave what a run leaves: index, verdict record, report and its figures."""
    given = record(verdict, [violation(feature)], day=str(day), execution=execution, bucket=bucket, **changes)
    day_index.enter(s3, bucket, given)
    if given["action"] == "publish":
        day_index.enter_published(s3, bucket, given)
        put(s3, bucket, names.manifest_key("churn", day), {"version": 1, "batch_day": str(day)})
    put(s3, bucket, names.verdict_key("churn", day, execution), given)
    put(s3, bucket, names.report_key("churn", day, execution), drawn(given))
    from sagemaker_batch.report import features
    from sagemaker_batch.report.run_report import RunFacts

    drift = {"features": [{"name": feature, "ks": {"distance": 0.42, "p_value": 0.0}, "psi": 1.0}]}
    found = features.gather(None, None, given["violations"], drift, None, set())
    facts = RunFacts(given, found, None, None, [], 4, {}, "UTC", "churn_batch_monitor")
    put(s3, bucket, names.report_record_key("churn", day, execution), report_record(facts, execution))


def play_quality(s3, bucket, verdict="good", *, day=DAY, execution="quality1", value=0.9, baseline=0.92, hour=10):
    """Leave what the model-quality DAG leaves of a day."""
    metrics = {"accuracy": {"value": value, "baseline": baseline}, "brier": {"value": 0.1, "baseline": None}}
    given = {
        "use_case": "churn",
        "batch_day": str(day),
        "verdict": verdict,
        "metrics": metrics,
        "rolling": {"metrics": {"accuracy": 0.91}},
        "labels": {"matched": 80, "predictions": 100},
        "signature": "0123456789ab",
        "model_package_version": 3,
        "execution": {"arn": f"arn:pipeline/execution/{execution}", "created": f"{day}T{hour:02d}:00:00+00:00"},
    }
    quality_index.enter(s3, bucket, given)
    put(s3, bucket, names.quality_key("churn", day, execution), given)


def filled(path):
    values = {
        "{use_case}": "churn",
        "{day}": str(DAY),
        "{execution}": "abc123",
        "{dag_id}": "churn_batch_monitor",
        "{run_id:path}": "manual__1",
    }
    for name, value in values.items():
        path = path.replace(name, value)
    return path


ROUTES = [route for route in create_app().routes if hasattr(route, "methods")]
OF_A_USE_CASE = [filled(route.path) for route in ROUTES if "{" in route.path]


@pytest.mark.parametrize("path", [filled(route.path) for route in ROUTES])
def test_nobody_sees_anything_without_logging_in(client, path):
    """401 on every route, also for style and script; a page leads to Airflow's login, which leads back."""
    answer = get(client, path)
    assert answer.status_code == 401
    assert "Log in to Airflow" in answer.text
    assert f"/api/v2/auth/login?next={quote(ROOT + path, safe='')}" in answer.text
    assert get(client, path, Authorization="Bearer forged").status_code in {401, 403}


@pytest.mark.parametrize("path", OF_A_USE_CASE)
def test_a_user_without_the_dag_sees_nothing_of_its_use_case(client, s3, bucket, path):
    """403 on every route of the use case; the list of all does not name it."""
    deploy(s3, bucket)
    play(s3, bucket)
    assert get(client, path, OUTSIDER).status_code == 403
    everything = get(client, "/", OUTSIDER).text
    assert "fraud" in everything
    assert "churn" not in everything


def test_a_viewer_reads_every_page_and_nobody_can_do_anything(client, s3, bucket):
    """There is nothing but GET."""
    deploy(s3, bucket)
    play(s3, bucket)
    for path in (
        "/",
        "/use-cases/churn",
        f"/use-cases/churn/days/{DAY}/abc123",
        f"/use-cases/churn/days/{DAY}/abc123/verdict",
        f"/use-cases/churn/days/{DAY}/manifest",
        "/dags/churn_batch_monitor",
        "/dags/churn_train_baseline",
        "/static/style.css",
        "/static/page.js",
    ):
        assert get(client, path, "reader").status_code == 200, path
    assert {method for route in ROUTES for method in route.methods} == {"GET"}
    headers = {"Authorization": f"Bearer {token('boss')}"}
    assert client.ask("POST", f"{ROOT}/use-cases/churn", headers).status_code == 405
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert get(client, path, "boss").status_code == 404


def test_every_answer_carries_the_policy(client, s3, bucket):
    """Also refusals: only files of our own, no frame but Airflow's, nothing inline in any page."""
    deploy(s3, bucket)
    play(s3, bucket)
    for path, user in (("/", "reader"), ("/use-cases/churn", "reader"), ("/use-cases/churn", OUTSIDER), ("/", None)):
        answer = get(client, path, user)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer.headers["Cache-Control"]
        page = Page(answer.text)
        assert not {name for name, _ in page.attributes if name.startswith("on") or name == "style"}
        assert "<style" not in answer.text
        assert not re.search(r"<script(?![^>]*src=)", answer.text)


def test_names_that_mean_harm_stay_text_on_every_page(client, s3, bucket):
    """Description of the use case, features in the heat map, reasons in the report."""
    deploy(s3, bucket, description=HOSTILE)
    play(s3, bucket, "held", feature=HOSTILE, reasons=[HOSTILE])
    for path in ("/", "/use-cases/churn", f"/use-cases/churn/days/{DAY}/abc123"):
        answer = get(client, path, "reader")
        page = Page(answer.text)
        assert page.tags.count("script") == 1
        assert HOSTILE in page.text, path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/use-cases/..%2f..%2fsecret", 404),
        ("/use-cases/Churn", 422),
        ("/use-cases/churn/days/yesterday/abc123", 422),
        (f"/use-cases/churn/days/{DAY}/..%2fx", 404),
        (f"/use-cases/churn/days/{DAY}/ABC.html", 422),
        ("/dags/other", 404),
        ("/dags/churn_batch_monitor/runs/none", 404),
        (f"/use-cases/churn/days/{DAY}/zzz999", 404),
    ],
)
def test_an_address_that_names_nothing_answers_so(client, s3, path, status):
    """And reads no other object."""
    assert get(client, path, "boss").status_code == status


def test_what_is_no_report_of_ours_is_not_shown(client, s3, bucket):
    """Whoever can write to the bucket cannot make a page here."""
    put(s3, bucket, names.report_key("churn", DAY, "abc123"), "<script>alert(1)</script>")
    answer = get(client, f"/use-cases/churn/days/{DAY}/abc123", "reader")
    assert answer.status_code == 502
    assert "alert(1)" not in answer.text


def test_the_page_names_what_needs_someone(client, s3, bucket):
    """A held day with what to do, a missing one with the exact backfill, a published one in its place."""
    deploy(s3, bucket, zone="Europe/Berlin")
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    play(s3, bucket, "held", day=today - timedelta(days=6), execution="held1")
    play(s3, bucket, "clean", day=today - timedelta(days=2), execution="clean1")
    page = Page(get(client, "/use-cases/churn", "reader").text)
    assert "send the data again and rerun the day" in page.text
    assert "Never scored: 4 days" in page.text
    begins, ends = today - timedelta(days=5), today - timedelta(days=1)
    assert f"airflow backfill create --dag-id churn_batch_monitor --from-date {begins}T00:00:00+0" in page.text
    assert f"--to-date {ends}T00:00:00+0" in page.text
    addresses = [value for name, value in page.attributes if name == "href"]
    assert f"{ROOT}/use-cases/churn/days/{today - timedelta(days=2)}/clean1" in addresses
    assert "42" in page.text


def test_the_overview_reads_one_record_and_those_that_it_lacks(client, s3, bucket):
    """What was deployed before there was a shared record, or by something else, is shown all the same."""
    deploy(s3, bucket, description="Told by its own record")
    shared = json.loads(s3.get_object(Bucket=bucket, Key=names.deployment_key("churn"))["Body"].read())
    shared["use_case"]["description"] = "Told by the shared record"
    put(s3, bucket, names.deployments_key(), {"version": 1, "use_cases": {"fraud": shared}})
    page = Page(get(client, "/", "boss").text)
    assert "Told by its own record" in page.text
    assert "Told by the shared record" in page.text


def test_a_day_that_waits_for_someone_comes_first_however_old(client, s3, bucket):
    """Held days do so until they are released, discarded or made again."""
    today = datetime.now(UTC).date()
    told = {"churn": ["held", "held", "clean", "clean"], "fraud": ["clean", "clean", "clean", "warned"]}
    for use_case, verdicts in told.items():
        deploy(s3, bucket, use_case)
        for back, verdict in zip((15, 14, 2, 1), verdicts, strict=True):
            given = record(
                verdict,
                [violation("f1")] if verdict != "clean" else [],
                day=str(today - timedelta(days=back)),
                execution=f"{use_case}{back}",
                bucket=bucket,
                use_case=use_case,
            )
            day_index.enter(s3, bucket, given)
            if verdict != "held":
                day_index.enter_published(s3, bucket, given)
    page = Page(get(client, "/", "boss").text)
    assert page.text.index("churn") < page.text.index("fraud")
    assert "Needs someone: 1 day held" in page.text


def test_what_aws_refuses_is_said_where_it_would_stand(client, s3, bucket, monkeypatch):
    """The overview has begun by then; a page that has nothing without AWS says so instead."""
    deploy(s3, bucket)

    def refused(*_args, **_kwargs):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "<not> yours"}}, "ListObjectsV2")

    monkeypatch.setattr(day_index, "read_entries", refused)
    answer = get(client, "/", "reader")
    assert answer.status_code == 200
    assert "This part cannot be read: An error occurred (AccessDenied)" in Page(answer.text).text
    assert "<not>" not in answer.text
    assert answer.text.rstrip().endswith("</html>")
    answer = get(client, "/use-cases/churn", "reader")
    assert answer.status_code == 502
    assert "AWS does not answer" in answer.text
    assert "Content-Security-Policy" in answer.headers


def test_times_of_a_list_are_the_same_whoever_reads_them(s3, bucket):
    """Written as seconds before botocore parses them, to the same moment."""
    for number in range(3):
        put(s3, bucket, f"churn/days/{number}", "")
    before = list(records.keys(s3, bucket, "churn/days/"))
    assert len(before) == 3
    seen = []

    def handler(response_dict, **others):
        reading.seconds_for_times(response_dict, **others)
        seen.append(response_dict["body"])

    s3.meta.events.register("before-parse.s3.ListObjectsV2", handler)
    assert list(records.keys(s3, bucket, "churn/days/")) == before
    assert b"T" not in re.findall(rb"<LastModified>(.*?)</LastModified>", seen[0])[0]


def test_model_quality_is_drawn_once_labels_have_arrived(client, s3, bucket):
    """A drawing for each metric with a sentence of its own, a table that says the same, and a way to each record."""
    deploy(s3, bucket)
    play(s3, bucket)
    assert "Model quality" not in get(client, "/use-cases/churn", "reader").text
    reading.reader.cache_clear()
    play_quality(s3, bucket)
    play_quality(s3, bucket, "dropped", day=DAY - timedelta(days=1), execution="quality2", value=0.4)
    play_quality(s3, bucket, "unknown", day=DAY - timedelta(days=2), execution="quality3", value=None)
    play_quality(s3, bucket, day=DAY - timedelta(days=1), execution="quality0", value=0.99, hour=9)  # earlier
    answer = get(client, "/use-cases/churn", "reader")
    page = Page(answer.text)
    said = [value for name, value in page.attributes if name == "aria-label"]
    assert any("Accuracy over 2 judged days, from 0.4 to 0.92, newest 0.9" in value for value in said)
    assert any("Brier score (less is better) over 3 judged days" in value for value in said)
    for text in ("good", "dropped", "unknown", "80 of 100", "version 3", "(0.92)"):
        assert text in page.text, text
    addresses = [value for name, value in page.attributes if name == "href"]
    assert f"{ROOT}/use-cases/churn/quality/{DAY}/quality1" in addresses
    found = get(client, f"/use-cases/churn/quality/{DAY}/quality1", "reader")
    assert found.json()["verdict"] == "good"
    assert get(client, f"/use-cases/churn/quality/{DAY}/none", "reader").status_code == 404


def test_the_tabs_of_airflow_lead_to_these_pages(client):
    """Navigation, DAG, DAG run; each with an address of its own, or Airflow drops it."""
    views = external_views()
    assert {item["destination"] for item in views} == {"nav", "dag", "dag_run"}
    assert len({item["url_route"] for item in views}) == 3
    for item in views:
        path = item["href"].format(DAG_ID="churn_batch_monitor", RUN_ID="x").removeprefix(ROOT)
        assert get(client, path).status_code == 401


def test_every_day_of_the_history_is_in_the_calendar(client, s3, bucket):
    """The newest months are open, those before are folded away and need no script to unfold."""
    deploy(s3, bucket)
    old = TODAY - timedelta(days=300)
    play(s3, bucket, day=old, execution="old1")
    text = get(client, "/use-cases/churn", "reader").text
    opened, folded = text.split("<details>")
    assert f"/days/{old}/old1" in folded
    assert f"<caption>{old:%B %Y}</caption>" in folded
    assert f"<caption>{TODAY - timedelta(days=1):%B %Y}</caption>" in opened
    assert re.search(r"<summary>\d older months</summary>", folded)


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        ({"binary_classification_metrics": {"accuracy": {"value": 0.9}}}, ("Accuracy", "AUC", "90.0 %")),
        ({"regression_metrics": {"r2": {"value": 0.954}, "rmse": {"value": 81.26}}}, ("R\u00b2", "RMSE", "81.26")),
    ],
)
def test_versions_are_told_by_the_figures_of_their_problem(s3, bucket, metrics, shown):
    """A regression has neither accuracy nor AUC."""
    key = "churn/training/train3/evaluation.json"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(metrics))
    here = reading.Reader(SimpleNamespace(bucket=bucket), lambda: s3, lambda: None)
    model = version(evaluation=f"s3://{bucket}/{key}")
    found = models.Version(model, models.figures_of(here, model))
    text = str(models.section(ROOT, "churn", [found], {}, "UTC"))
    assert all(word in text for word in shown)
    assert ("Accuracy" in text) != ("RMSE" in text)


def test_a_run_leads_to_its_own_report(client, s3, bucket, database):
    """Two runs of one day: the tab of each shows its own."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType

    deploy(s3, bucket)
    with create_session() as session:
        for number in (1, 2):
            run = DagRun(dag_id="churn_batch_monitor", run_id=f"manual__{number}", run_type=DagRunType.MANUAL)
            run.conf, run.run_after = {"batch_day": str(DAY)}, datetime.now(UTC)
            session.add(run)
    for number in (1, 2):
        facts = {"dag_id": "churn_batch_monitor", "run_id": f"manual__{number}", "run_type": "manual"}
        play(s3, bucket, execution=f"exec{number}", run={**facts, "triggered_by": "x", "dag_version": ""})
    for number in (1, 2):
        answer = get(client, f"/dags/churn_batch_monitor/runs/manual__{number}", "reader")
        assert answer.status_code == 303
        assert answer.headers["location"] == f"{ROOT}/use-cases/churn/days/{DAY}/exec{number}"
