"""The running half as the API half sees it: told of what was created and what shall stop, always after the commit."""

from __future__ import annotations

from pathlib import Path

from sagemaker_local.api import Api
from sagemaker_local.engine.manager import Executions
from sagemaker_local.jobs.clients import Clients
from sagemaker_local.jobs.context import Context
from sagemaker_local.jobs.manager import Jobs
from sagemaker_local.runtimes.table import Runtimes


class Runner:
    """Runs jobs and executions; state is in the store alone, so that the next server goes on where this one ended."""

    def __init__(self, api: Api, state_dir: str | Path, runtimes_file: str | Path | None = None) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            api: the service.
            state_dir: jobs have their directories below ``<state_dir>/jobs``.
            runtimes_file: what stands for which image; the table of the package when left out.

        Raises:
            RuntimesError: that file is wrong.
        """
        runtimes = Runtimes(None if runtimes_file is None else Path(runtimes_file))
        self._clients = Clients(api.endpoint_url, api.region)
        self._jobs = Jobs(Context(api, self._clients, runtimes, Path(state_dir).resolve() / "jobs"))
        self._executions = Executions(api, self._jobs, self._clients)

    def start(self) -> None:
        """Take up what a former server left, jobs before the executions that wait for them."""
        for service in ("s3", "logs", "lambda"):
            self._clients.get(service)  # made now, not in the first job's time
        self._jobs.recover()
        self._executions.recover()

    def shutdown(self) -> None:
        """End every thread and process; executions go on when the next server starts."""
        self._executions.shutdown()
        self._jobs.shutdown()
        self._executions.join()
        self._clients.close()

    def job_created(self, kind: str, name: str) -> None:
        """Run a job."""
        self._jobs.begin(kind, name)

    def job_stop(self, kind: str, name: str) -> None:
        """Stop a job."""
        self._jobs.stop(kind, name)

    def execution_created(self, arn: str) -> None:
        """Run an execution."""
        self._executions.begin(arn)

    def execution_stop(self, arn: str) -> None:
        """Stop an execution."""
        self._executions.stop(arn)

    def execution_retry(self, arn: str) -> None:
        """Go on with an execution from the steps that failed."""
        self._executions.retry(arn)

    def callback(self, arn: str, step: str) -> None:
        """Wake a Callback step whose answer stands in the store."""
        self._executions.callback(arn, step)
