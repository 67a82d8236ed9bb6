"""Section `alerts`: who hears of what."""

from pydantic import Field

from sagemaker_batch.use_case.section import ConnectionId, Section


class Routes(Section):
    """Airflow connections that each severity goes to."""

    warning: list[ConnectionId] = Field(
        default_factory=list, description="Where a day goes that is published and drifts."
    )
    critical: list[ConnectionId] = Field(default_factory=list, description="Where a held day goes.")
    error: list[ConnectionId] = Field(default_factory=list, description="Where a run goes that failed.")


class Alerts(Section):
    """Who hears of it: lists of Airflow connection ids."""

    routes: Routes = Field(default_factory=Routes)
    digest: list[ConnectionId] = Field(default_factory=list, description="Where one summary of a backfill goes.")
