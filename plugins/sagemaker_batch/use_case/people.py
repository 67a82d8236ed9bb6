"""Sections `review`, `retraining`, `alerts`: who decides, when to train early, who hears of what."""

from pydantic import Field

from sagemaker_batch.use_case.section import ConnectionId, Section


class Review(Section):
    """How a registered version is decided on, where `approval` is airflow or auto."""

    reviewers: list[str] = Field(
        default_factory=list,
        description="Ids of the Airflow users who may answer; empty: everyone who may answer tasks of the DAG.",
    )
    response_hours: float = Field(
        default=168, gt=0, description="How long an answer is waited for; then the run fails and alerts."
    )
    metric: str | None = Field(
        default=None, min_length=1, description="Figure of the evaluation that auto compares; default: model.metric."
    )
    margin: float = Field(
        default=0.01, ge=0, lt=1, description="By how much it must exceed the version in use for auto to approve."
    )


class Retraining(Section):
    """When the history asks for a new model before its time. A broken schema never does."""

    enabled: bool = Field(default=False, description="Whether drift and quality may start the training DAG early.")
    drift_share: float = Field(
        default=0.3, gt=0, le=1, description="Share of the monitored features whose drift makes a day count."
    )
    drift_days: int = Field(default=3, ge=1, le=60, description="How many judged days in a row must count.")
    quality_days: int = Field(default=1, ge=1, le=60, description="How many days in a row quality must be dropped.")
    cooldown_days: float = Field(default=7, ge=0, description="How long after a request no other is made.")
    per_month: int = Field(default=2, ge=1, le=31, description="How many requests a calendar month (UTC) may have.")


class Routes(Section):
    """Airflow connections that each severity goes to."""

    warning: list[ConnectionId] = Field(
        default_factory=list, description="Where a day goes that is published and drifts."
    )
    critical: list[ConnectionId] = Field(default_factory=list, description="Where a held day goes.")
    error: list[ConnectionId] = Field(default_factory=list, description="Where a run goes that failed.")


class Events(Section):
    """Airflow connections of single events, in place of those of their severity; an empty list silences one."""

    drift_warning: list[ConnectionId] | None = Field(default=None, description="A day drifts and is published.")
    drift_critical: list[ConnectionId] | None = Field(default=None, description="A day is held for its drift.")
    broken_schema: list[ConnectionId] | None = Field(
        default=None, description="A day is held for its columns or types."
    )
    pipeline_failed: list[ConnectionId] | None = Field(default=None, description="An execution failed.")
    no_approved_model: list[ConnectionId] | None = Field(default=None, description="No approved version can score.")
    batch_late: list[ConnectionId] | None = Field(default=None, description="A day's input or its run is late.")
    approval_waiting: list[ConnectionId] | None = Field(default=None, description="A version waits for a person.")
    quality_dropped: list[ConnectionId] | None = Field(
        default=None, description="The model is worse than its baseline."
    )
    dag_failed: list[ConnectionId] | None = Field(default=None, description="A run failed.")
    alert_undelivered: list[ConnectionId] | None = Field(default=None, description="An alert reached nobody.")
    task_retried: list[ConnectionId] | None = Field(default=[], description="Heard by nobody unless it is set.")


class Alerts(Section):
    """Who hears of it: lists of Airflow connection ids."""

    routes: Routes = Field(default_factory=Routes)
    events: Events = Field(default_factory=Events)
    digest: list[ConnectionId] = Field(default_factory=list, description="Where one summary of a backfill goes.")
