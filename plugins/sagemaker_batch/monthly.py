"""The tasks of the monthly DAG: train, find the version that this execution registered, have it reviewed."""

from typing import Any

from sagemaker_batch import names
from sagemaker_batch.daily import final
from sagemaker_batch.errors import ExecutionError
from sagemaker_batch.use_case import UseCase

START, FINISH, READ, REVIEW = "start_training", "wait_for_training", "read_candidate", "review_candidate"
REPORT = "write_training_report"


class Monthly:
    """The monthly work of one use case."""

    def __init__(self, use_case: UseCase) -> None:
        self.use_case = use_case

    def pipeline(self) -> str:
        """Return the name of the pipeline in the environment that Airflow's configuration names."""
        from sagemaker_batch.settings import settings

        return names.train_pipeline(self.use_case.name, settings().environment)

    def input_uri(self, asked: str | None) -> str:
        """Return the training data: what the run asks for, or the use case's own."""
        from sagemaker_batch.settings import settings

        return asked or self.use_case.training_input_uri(settings().bucket)

    def output_prefix(self) -> str:
        """Return the prefix below which the execution writes."""
        from sagemaker_batch.settings import settings

        return names.s3_uri(settings().bucket, names.training_prefix(self.use_case.name))

    @final
    def read_candidate(self, **context: Any) -> dict[str, Any]:
        """Return the version that this very execution registered, with the figures of its evaluation."""
        from sagemaker_batch import records, registry
        from sagemaker_batch.aws import default_client

        outcome = context["ti"].xcom_pull(task_ids=FINISH)
        arn = next((step["arn"] for step in outcome["steps"] if step["kind"] == "RegisterModel" and step["arn"]), "")
        if not arn:
            raise ExecutionError(
                f"{outcome['arn']} succeeded and registered no model package: none of its steps "
                f"({', '.join(step['name'] for step in outcome['steps'])}) is a RegisterModel step with an ARN. "
                "Is the deployed pipeline the one that this DAG expects? Type `make deploy ACTION=status`."
            )
        version = registry.complete(registry.describe(default_client("sagemaker"), arn))
        stored = records.read(default_client("s3"), *names.split_s3_uri(version.evaluation_uri))
        if stored is None:
            raise ExecutionError(
                f"Version {version.version} names {version.evaluation_uri}, and there is no such object."
            )
        metrics = {
            name: item["value"]
            for name, item in stored.content[self.use_case.model.metrics_section].items()
            if isinstance(item, dict) and isinstance(item.get("value"), (int, float))
        }
        return {
            "arn": version.arn,
            "version": version.version,
            "group": version.group,
            "status": version.status,
            "evaluation_uri": version.evaluation_uri,
            "execution_arn": outcome["arn"],
            "metrics": metrics,
        }

    @final
    def write_report(self, **context: Any) -> dict[str, str]:
        """Draw the training; it stands beside the review, and holds it up no more than it holds up anything else."""
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.report.addresses import training_address
        from sagemaker_batch.report.write_training import write_training_report
        from sagemaker_batch.settings import settings

        here, candidate = settings(), context["ti"].xcom_pull(task_ids=READ)
        address, links = training_address(context, self.use_case.name, candidate["execution_arn"], here.console_url)
        uri = write_training_report(
            default_client("s3", here),
            default_client("sagemaker", here),
            here.bucket,
            self.use_case,
            candidate["arn"],
            float(context["params"]["accuracy_threshold"]),
            links,
        )
        return {"uri": uri, "report": address}

    @final
    def review_candidate(self, **context: Any) -> dict[str, Any]:
        """Approve by the use case's rule, or say how a person does."""
        from sagemaker_batch import registry
        from sagemaker_batch.aws import default_client

        candidate, run = context["ti"].xcom_pull(task_ids=READ), context["dag_run"]
        metric = self.use_case.model.gate
        measured = candidate["metrics"].get(metric)
        threshold = float(context["params"]["accuracy_threshold"])
        shown = f"version {candidate['version']} of {candidate['group']}, {metric} {measured}"
        if self.use_case.approval == "manual":
            how = f"{registry.APPROVE_COMMAND} {candidate['arn']}"
            print(f"{shown}, waits for a person. Approve it with: {how}")  # noqa: T201 - the task's log
            return {"decision": "pending", "arn": candidate["arn"], "approve_with": how}
        if measured is None or measured < threshold:
            raise ExecutionError(
                f"{shown}, is not approved: the threshold is {threshold}. It stays pending; train again, or approve it "
                f"by hand with `{registry.APPROVE_COMMAND} {candidate['arn']}`."
            )
        said = f"Approved by rule: {metric} {measured} is at least {threshold}"
        version = registry.approve(default_client("sagemaker"), candidate["arn"], said, by=f"airflow/{run.dag_id}")
        print(f"{shown}: {said}")  # noqa: T201 - the task's log
        return {"decision": "approved", "arn": version.arn, "approve_with": ""}
