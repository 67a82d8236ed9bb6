"""The pages' routes: all of them GET, all of them behind Airflow's login, each use case behind its DAG's permission."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path as File
from typing import Annotated, Any, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from airflow.api_fastapi.common.db.common import SessionDep
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from sagemaker_batch import names
from sagemaker_batch.report.markup import Html, tag
from sagemaker_batch.report.page import inner, style
from sagemaker_batch.views import calendar, frame, heat, models, overview, quality, use_case_page
from sagemaker_batch.views.access import LoggedIn, UseCaseName, UseCaseNames, UseCaseOfDag
from sagemaker_batch.views.overview import Line
from sagemaker_batch.views.reading import Reader, reader
from sagemaker_batch.views.runs import read_run_day, read_runs

T = TypeVar("T")
HISTORY_DAYS = 400
MONTHS, HEAT_DAYS = 6, 30
TOO_LONG = 100
AS_AIRFLOW = "Does the web server's role have what the Airflow role has?"
Execution = Annotated[str, Path(pattern="^[a-z0-9]{1,64}$")]
ReaderDep = Annotated[Reader, Depends(reader)]


def create_app() -> FastAPI:
    """Return the application that Airflow mounts."""
    app = FastAPI(title="SageMaker batch", dependencies=[LoggedIn], docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(BotoCoreError, _unreadable)
    app.add_exception_handler(ClientError, _unreadable)
    app.middleware("http")(_with_headers)
    for path, handler in (
        ("/", all_use_cases),
        ("/use-cases/{use_case}", one_use_case),
        ("/use-cases/{use_case}/days/{day}/manifest", manifest),
        ("/use-cases/{use_case}/days/{day}/{execution}", run_report),
        ("/use-cases/{use_case}/days/{day}/{execution}/verdict", verdict),
        ("/use-cases/{use_case}/quality/{day}/{execution}", quality_record),
        ("/use-cases/{use_case}/trainings/{execution}", training_report),
        ("/dags/{dag_id}", dag),
        ("/dags/{dag_id}/runs/{run_id:path}", dag_run),
        ("/static/style.css", style_sheet),
        ("/static/page.js", script),
    ):
        app.get(path)(handler)
    return app


def all_use_cases(request: Request, use_cases: UseCaseNames, here: ReaderDep, session: SessionDep) -> Response:
    """All use cases at a glance: begun at once, and ended when the days of all of them are read."""
    now, root, title = datetime.now(UTC), _root(request), "Batch days"
    if not use_cases:
        return HTMLResponse(frame.page(root, title, [], overview.head(0)))
    since = now.date() - timedelta(days=overview.DAYS + 1)
    every = here.all_deployed(use_cases)
    # The session ends before the second part is drawn.
    runs = read_runs(session, {deployed.name: deployed.timezone for deployed in every}, since)

    def lines() -> Iterator[Line]:
        for deployed, entries in zip(every, here.each(lambda name: here.entries(name, since), use_cases), strict=True):
            today = now.astimezone(ZoneInfo(deployed.timezone)).date()
            expected = calendar.batch_days(deployed.batch_cron, deployed.timezone, since, today)
            days = calendar.days(entries, runs.get(deployed.name, []), expected, today)
            # One more was read: by the clock of the use case the oldest may be another than by UTC's.
            yield Line(deployed, {day: known for day, known in days.items() if day > since})

    def rest() -> Any:
        return _part("All use cases", lambda: overview.body(root, list(lines()), now.date()))

    return StreamingResponse(frame.in_two(root, title, overview.head(len(use_cases)), rest), media_type="text/html")


def one_use_case(request: Request, use_case: UseCaseName, here: ReaderDep, session: SessionDep) -> Response:
    """Return calendar, what needs someone, models and drift of one use case."""
    return _use_case(request, use_case, here, session)


def dag(request: Request, use_case: UseCaseOfDag, here: ReaderDep, session: SessionDep) -> Response:
    """Return the page of the use case that a DAG belongs to, for the DAG's tab."""
    return _use_case(request, use_case, here, session)


def dag_run(  # noqa: PLR0917 - FastAPI's way
    request: Request, dag_id: str, run_id: str, use_case: UseCaseOfDag, here: ReaderDep, session: SessionDep
) -> Response:
    """Return the report of a DAG run, for the run's tab."""
    root = _root(request)
    if dag_id in {names.train_dag(use_case), names.quality_dag(use_case)}:
        return _use_case(request, use_case, here, session)
    deployed = here.deployed(use_case)
    day = read_run_day(session, dag_id, run_id, deployed.timezone)
    if day is None:
        raise HTTPException(404, f"Airflow knows no run {run_id[:TOO_LONG]} that names a batch day.")
    for entry in reversed([item for item in here.entries(use_case, day) if item.day == day and item.is_verdict]):
        record = here.json(names.verdict_key(use_case, day, entry.execution))
        if record is not None and record["run"]["run_id"] == run_id:
            return RedirectResponse(f"{root}/use-cases/{use_case}/days/{day}/{entry.execution}", 303)
    said = "The run has come to no verdict yet. If it has ended, its failed task says why."
    return HTMLResponse(frame.message(root, f"No report of {day}", said, _trail(root, use_case)))


def run_report(request: Request, use_case: UseCaseName, day: date, execution: Execution, here: ReaderDep) -> Response:
    """Return the report of a batch run within the pages' frame."""
    root = _root(request)
    stored = here.text(names.report_key(use_case, day, execution))
    if stored is None:
        said = (
            "There is no report of this run. It is written by the task write_report; clear that task to draw it again. "
            "The verdict stands in its record all the same."
        )
        link = ("The verdict record", f"{root}/use-cases/{use_case}/days/{day}/{execution}/verdict")
        shown = frame.message(root, f"No report of {day}", said, _trail(root, use_case), link)
        return HTMLResponse(shown, 404)
    return HTMLResponse(frame.page(root, f"{use_case}, {day}", _trail(root, use_case), _inner(stored), "report"))


def training_report(request: Request, use_case: UseCaseName, execution: Execution, here: ReaderDep) -> Response:
    """Return the report of a training within the pages' frame."""
    root = _root(request)
    stored = here.text(names.training_report_key(use_case, execution))
    if stored is None:
        said = "There is no report of this training. It is written by the training DAG's own task."
        return HTMLResponse(frame.message(root, "No report", said, _trail(root, use_case)), 404)
    return HTMLResponse(frame.page(root, f"{use_case}, training", _trail(root, use_case), _inner(stored), "report"))


def verdict(use_case: UseCaseName, day: date, execution: Execution, here: ReaderDep) -> Response:
    """Return a verdict record."""
    return _record(here, names.verdict_key(use_case, day, execution))


def manifest(use_case: UseCaseName, day: date, here: ReaderDep) -> Response:
    """Return the manifest of a day."""
    return _record(here, names.manifest_key(use_case, day))


def quality_record(use_case: UseCaseName, day: date, execution: Execution, here: ReaderDep) -> Response:
    """Return a quality record."""
    return _record(here, names.quality_key(use_case, day, execution))


def style_sheet() -> Response:
    """Return the style of reports and pages."""
    return Response(style(), media_type="text/css")


def script() -> Response:
    """Return the one script."""
    return Response((File(__file__).parent / "page.js").read_text(encoding="utf-8"), media_type="text/javascript")


def _use_case(request: Request, use_case: str, here: Reader, session: Any) -> Response:
    root, deployed = _root(request), here.deployed(use_case)
    today = datetime.now(ZoneInfo(deployed.timezone)).date()
    since = today - timedelta(days=HISTORY_DAYS)
    entries = here.entries(use_case, since)
    runs = read_runs(session, {use_case: deployed.timezone}, since).get(use_case, [])
    expected = calendar.batch_days(deployed.batch_cron, deployed.timezone, since, today)
    days = calendar.days(entries, runs, expected, today)
    recent = [day.entry for day in days.values() if day.entry is not None][-HEAT_DAYS:]
    body = [
        use_case_page.head(deployed, days),
        use_case_page.todo(root, use_case, days, calendar.gaps(days, expected)),
        use_case_page.calendar(root, use_case, days, MONTHS),
        _part("Model quality", lambda: quality.section(root, use_case, here.quality(use_case, since))),
        _part("Drift by feature", lambda: heat.section(here.figures(use_case, recent))),
        _part(
            "Model versions",
            lambda: models.section(
                root,
                use_case,
                models.read_versions(here, deployed.group) if deployed.group else [],
                days,
                deployed.timezone,
            ),
        ),
    ]
    return HTMLResponse(frame.page(root, f"{use_case}: batch days", [("All use cases", f"{root}/")], body))


def _part(title: str, draw: Callable[[], T]) -> T | Html:
    """Draw a section; where AWS refuses, the page shows the refusal in its place and stays."""
    try:
        return draw()
    except (BotoCoreError, ClientError) as error:
        said = f"This part cannot be read: {error}. {AS_AIRFLOW}"
        return tag("section", tag("h2", title), tag("p", said, class_="note"))


def _record(here: Reader, key: str) -> Response:
    content = here.json(key)
    if content is None:
        raise HTTPException(404, f"There is no s3://{here.here.bucket}/{key}.")
    return Response(json.dumps(content, indent=2, sort_keys=True), media_type="application/json")


def _inner(stored: str) -> Html:
    found = inner(stored)
    if found is None:
        raise HTTPException(502, "What lies at the report's place in S3 is no report of this package.")
    return found


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")


def _trail(root: str, use_case: str) -> list[tuple[str, str]]:
    return [("All use cases", f"{root}/"), (use_case, f"{root}/use-cases/{use_case}")]


async def _with_headers(request: Request, call_next: Callable[[Request], Any]) -> Response:
    response: Response = await call_next(request)
    for name, value in frame.HEADERS.items():
        response.headers[name] = value
    return response


async def _unreadable(request: Request, error: Exception) -> Response:
    """Answer AWS's refusal of what a page cannot do without."""
    shown = frame.message(_root(request), "AWS does not answer", f"{error}. {AS_AIRFLOW}", [])
    return HTMLResponse(shown, 502)


async def _refused(request: Request, error: Exception) -> Response:
    """Answer a refusal as a page for browsers, as JSON for the rest."""
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - what it is registered for
    status, said = error.status_code, str(error.detail)
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": said}, status)
    root = _root(request)
    title = {401: "Please log in", 403: "Not yours to see", 404: "Nothing here"}.get(status, "That did not work")
    # Airflow's own way to the login of whichever auth manager it has, and back to here.
    way = f"{root.removesuffix('/sagemaker-batch')}/api/v2/auth/login?next={quote(request.url.path, safe='')}"
    link = ("Log in to Airflow", way) if status == 401 else None
    return HTMLResponse(frame.message(root, title, said, [], link), status)
