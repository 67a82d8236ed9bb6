"""The tasks of the monthly DAG: train, find the version that this execution registered, have it decided on."""

from typing import Any

from airflow.sdk import Asset

from sagemaker_batch import names
from sagemaker_batch.daily import final
from sagemaker_batch.errors import ExecutionError
from sagemaker_batch.use_case import UseCase

START, FINISH, READ, REVIEW = "start_training", "wait_for_training", "read_candidate", "review_candidate"
REPORT = "write_training_report"
RULE, ASK, TELL = "branch_on_rule", "ask_reviewer", "alert_approval"
APPROVE, REJECT = "approve_model", "reject_model"
# What a reviewer may answer, and the task that follows.
ANSWERS = {"Approve": APPROVE, "Reject": REJECT}


class Monthly:
    """The monthly work of one use case."""

    def __init__(self, use_case: UseCase) -> None:
        self.use_case = use_case
        # Names alone, as in daily.py.
        self.model_approved = Asset(f"{use_case.name}/model_approved")
        self.retraining = Asset(f"{use_case.name}/retraining_requested")

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
        from sagemaker_batch import cost, log_lines, metrics, records, registry
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.run_context import run_facts
        from sagemaker_batch.settings import settings

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
        figures = {
            name: item["value"]
            for name, item in stored.content[self.use_case.model.metrics_section].items()
            if isinstance(item, dict) and isinstance(item.get("value"), (int, float))
        }
        here = settings()
        deployed = records.read(default_client("s3", here), here.bucket, names.deployment_key(self.use_case.name))
        spent = cost.of_run(outcome["steps"], deployed.content if deployed else {}, "train_baseline")
        found = spent.as_dict() if spent else None
        metrics.trained(self.use_case.name, found)
        about: dict[str, Any] = {"use_case": self.use_case.name, "model_package_arn": version.arn, "cost": found}
        print(log_lines.line("trained", run_facts(context), execution_arn=outcome["arn"], **about))  # noqa: T201
        return {
            "arn": version.arn,
            "version": version.version,
            "group": version.group,
            "status": version.status,
            "evaluation_uri": version.evaluation_uri,
            "execution_arn": outcome["arn"],
            "metrics": figures,
            "training_data_uri": version.training_data_uri,
            "cost": found,
            "reason": _why_trained(context),
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

    def pages(self, context: Any) -> dict[str, str]:
        """Return where the training's report can be opened; nothing before there is a candidate."""
        from sagemaker_batch.report.addresses import training_address
        from sagemaker_batch.settings import settings

        candidate = context["ti"].xcom_pull(task_ids=READ)
        if not candidate:
            return {}
        arn = candidate["execution_arn"]
        return {"report": training_address(context, self.use_case.name, arn, settings().console_url)[0]}

    @final
    def review_candidate(self, **context: Any) -> dict[str, Any]:
        """Lay the version beside the one in use, and ask the rule; what is decided stands in `decision`."""
        from sagemaker_batch import approval
        from sagemaker_batch.execution import console_link
        from sagemaker_batch.report.addresses import training_address
        from sagemaker_batch.run_context import run_link
        from sagemaker_batch.settings import settings

        candidate = context["ti"].xcom_pull(task_ids=READ)
        ours, theirs = self._sides(candidate)
        made = approval.review(
            self.use_case,
            ours,
            theirs,
            links={
                "report": training_address(
                    context, self.use_case.name, candidate["execution_arn"], settings().console_url
                )[0],
                "pipeline execution": console_link(candidate["execution_arn"], settings().console_url),
                "evaluation": candidate["evaluation_uri"],
                "run": run_link(context),
            },
            reason=candidate["reason"],
        )
        print(made["body"])  # noqa: T201 - the task's log
        return made

    def _sides(self, candidate: dict[str, Any]) -> tuple[Any, Any]:
        """Read both versions' evaluations and baselines; nothing for the version in use when there is none."""
        from sagemaker_batch import records, registry
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.comparison import Side
        from sagemaker_batch.report.write_training import predictions

        s3, sagemaker = default_client("s3"), default_client("sagemaker")
        binary = self.use_case.model.problem == "binary_classification"

        def document(uri: str) -> Any:
            stored = records.read(s3, *names.split_s3_uri(uri)) if uri else None
            return stored.content if stored else {}

        def side(version: registry.ModelVersion) -> Side:
            return Side(
                version.version,
                version.arn,
                version.created.isoformat(timespec="minutes"),
                version.training_data_uri,
                document(version.evaluation_uri),
                document(version.statistics_uri),
                predictions(s3, version.evaluation_uri) if binary else (),
            )

        try:
            in_use: registry.ModelVersion | None = registry.latest_approved(sagemaker, candidate["group"])
        except registry.NoApprovedModel:
            in_use = None
        ours = registry.describe(sagemaker, candidate["arn"])
        return side(ours), side(in_use) if in_use and in_use.arn != ours.arn else None

    def branch_on_rule(self, **context: Any) -> list[str]:
        """Return what follows the rule: the approval, or the question to a person."""
        review = context["ti"].xcom_pull(task_ids=REVIEW)
        return [APPROVE] if review["decision"] == "approve" else [ASK, TELL]

    @final
    def alert_approval(self, **context: Any) -> str:
        """Tell who decides that a version waits, and how to answer."""
        from sagemaker_batch import messages, registry, router
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.run_context import links, run_link
        from sagemaker_batch.settings import settings

        here, review, run = settings(), context["ti"].xcom_pull(task_ids=REVIEW), context["dag_run"]
        where, page = links(context, "approval_waiting"), run_link(context)
        if self.use_case.approval == "manual":
            how = f"It waits for a person, in SageMaker Studio or by `{registry.APPROVE_COMMAND} {review['arn']}`."
        else:
            how = "It waits for an answer in Airflow (Required actions), where the whole comparison stands."
            where = {"answer": f"{page}/tasks/{ASK}/required_actions?map_index=-1" if page else "", **where}
        alert = messages.approval_alert(self.use_case.name, run.dag_id, run.run_id, review, how, where)
        return router.tell(default_client("s3", here), here.bucket, alert, self.use_case.alerts, owner=run.run_id)

    @final
    def approve_model(self, **context: Any) -> dict[str, Any]:
        """Record the approval, and emit the asset."""
        done = self._decide("Approved", **context)
        context["outlet_events"][self.model_approved].extra = {
            "model_package_arn": done["arn"],
            "model_package_version": done["version"],
            "approved_by": done["by"],
        }
        return done

    @final
    def reject_model(self, **context: Any) -> dict[str, Any]:
        """Record the rejection: the daily runs stay with the version in use."""
        return self._decide("Rejected", **context)

    def _decide(self, status: str, **context: Any) -> dict[str, Any]:
        from sagemaker_batch import approval, registry
        from sagemaker_batch.aws import default_client
        from sagemaker_batch.reviewer import ANSWER

        ti, run = context["ti"], context["dag_run"]
        review = ti.xcom_pull(task_ids=REVIEW)
        answer = approval.read_answer(ti.xcom_pull(task_ids=ASK, key=ANSWER), review)
        version = registry.decide(
            default_client("sagemaker"),
            review["arn"],
            status,
            answer.description(status, run.run_id),
            by=answer.by,
            run=run.run_id,
        )
        print(f"Version {version.version} of {version.group}: {answer.description(status, run.run_id)}")  # noqa: T201
        return {"decision": status.lower(), "arn": version.arn, "version": version.version, "by": answer.by}


def _why_trained(context: Any) -> str:
    """Say what started the run: a request to retrain, a person, or the calendar."""
    found = [
        str(event.extra.get("reason") or "")
        for events in (context.get("triggering_asset_events") or {}).values()
        for event in events
    ]
    reasons = [reason for reason in found if reason]
    if reasons:
        return "; ".join(reasons)
    run = context["dag_run"]
    kind = str(getattr(run.run_type, "value", run.run_type))
    who = getattr(run, "triggering_user_name", None)
    return f"run by {who}" if kind == "manual" and who else f"{kind} run".replace("_", " ")
