"""One monthly DAG per use case: train, evaluate, baseline and register a model version, then have it reviewed.

A use case is a file in `use_cases/`; this file only draws the DAG.
"""

from datetime import timedelta

from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.sdk import DAG, Param, TriggerRule

from sagemaker_batch import monthly, names
from sagemaker_batch.declare import broken_dag, defaults, start, training_schedule, use_cases
from sagemaker_batch.failures import failure_callback
from sagemaker_batch.lineage import LineageOperator, of_candidate
from sagemaker_batch.monthly import Monthly
from sagemaker_batch.operators import StartPipelineOperator
from sagemaker_batch.report.operator import LinkedPythonOperator, ReportOperator
from sagemaker_batch.sensor import PipelineSensor
from sagemaker_batch.use_case import UseCase, UseCaseError

DOC = """
**{name}**: {description}

Trains a model, evaluates it on rows that it has not seen, makes the data-quality baselines that the daily DAG compares
with, and registers a version in the model registry. Below the accuracy threshold nothing is registered and the run
fails with both numbers. Approval is **{approval}**: {how}
{early}
"""
EARLY = "A request to retrain (asset `{name}/retraining_requested`) starts a run before its time; its page says why."
HOW = {
    "manual": "the version waits for a person, and the alert says how to approve it.",
    "airflow": "ask_reviewer waits for an answer, and its page compares the version with the one in use.",
    "auto": "a version better than the one in use by the margin is approved by rule; any other waits for an answer.",
}


def build(use_case: UseCase) -> DAG:
    """Declare the monthly DAG of a use case."""
    work, schedule = Monthly(use_case), use_case.schedule
    how = HOW[use_case.approval]
    with DAG(
        names.train_dag(use_case.name),
        description=f"Train, baseline and register a model of {use_case.name}",
        doc_md=DOC.format(
            name=use_case.name,
            description=use_case.description,
            approval=use_case.approval,
            how=how,
            early=EARLY.format(name=use_case.name) if use_case.retraining.enabled else "",
        ),
        schedule=training_schedule(use_case, work.retraining),
        start_date=start(schedule),
        catchup=False,
        # A version that waits for its reviewer keeps its run active: it must not keep the next one from training.
        max_active_runs=8,
        tags=sorted({*use_case.tags, use_case.name, "monthly"}),
        default_args=defaults(use_case, days=False),
        on_failure_callback=failure_callback(use_case.name, use_case.alerts, None),
        params={
            "input_data_uri": Param(
                None,
                type=["null", "string"],
                pattern="^s3://[^/]+/.*$",
                title="Training data",
                description="Prefix of the training data, such as s3://bucket/folder/. Empty: the use case's own.",
            ),
            "accuracy_threshold": Param(
                use_case.model.accuracy_threshold,
                type="number",
                minimum=0,
                maximum=1,
                title="Accuracy threshold",
                description="Below it the model is not registered and the run fails.",
            ),
        },
        user_defined_macros={
            "train_pipeline": work.pipeline,
            "training_input": work.input_uri,
            "training_prefix": work.output_prefix,
        },
    ) as dag:
        start_training = StartPipelineOperator(
            task_id=monthly.START,
            pipeline_name="{{ train_pipeline() }}",
            parameters={
                "InputDataUri": "{{ training_input(params.input_data_uri) }}",
                "OutputPrefixUri": "{{ training_prefix() }}",
                "AccuracyThreshold": "{{ params.accuracy_threshold }}",
                "ModelApprovalStatus": "PendingManualApproval",
            },
        )
        wait_for_training = PipelineSensor(
            task_id=monthly.FINISH,
            execution_arn="{{ ti.xcom_pull(task_ids='start_training') }}",
            timeout=3600,
        )
        pages = {"pages": work.pages}
        read_candidate = LineageOperator(
            task_id=monthly.READ, python_callable=work.read_candidate, lineage=of_candidate, **pages
        )
        write_report = ReportOperator(task_id=monthly.REPORT, python_callable=work.write_report, **pages)
        review_candidate = LinkedPythonOperator(task_id=monthly.REVIEW, python_callable=work.review_candidate, **pages)
        alert_approval = LinkedPythonOperator(task_id=monthly.TELL, python_callable=work.alert_approval, **pages)

        start_training >> wait_for_training >> read_candidate >> [review_candidate, write_report]
        if use_case.approval == "manual":
            review_candidate >> alert_approval
            return dag
        # Airflow's question brings its trigger along, a tenth of what parsing may cost: only those pay who ask.
        from sagemaker_batch.reviewer import AskReviewer

        ask_reviewer = AskReviewer(
            task_id=monthly.ASK,
            subject="{{ ti.xcom_pull(task_ids='review_candidate')['subject'] }}",
            body="{{ ti.xcom_pull(task_ids='review_candidate')['body'] }}",
            options=list(monthly.ANSWERS),
            options_mapping=monthly.ANSWERS,
            params={
                names.REVIEW_COMMENT: Param(
                    "", type="string", maxLength=500, title="Why", description="Kept with the version in the registry."
                )
            },
            assigned_users=[{"id": user, "name": user} for user in use_case.review.reviewers] or None,
            response_timeout=timedelta(hours=use_case.review.response_hours),
            **pages,
        )
        approve_model = LinkedPythonOperator(
            task_id=monthly.APPROVE,
            python_callable=work.approve_model,
            outlets=[work.model_approved],
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
            **pages,
        )
        reject_model = LinkedPythonOperator(task_id=monthly.REJECT, python_callable=work.reject_model, **pages)
        ask_reviewer >> [approve_model, reject_model]
        if use_case.approval == "airflow":
            review_candidate >> [ask_reviewer, alert_approval]
        else:
            rule = BranchPythonOperator(task_id=monthly.RULE, python_callable=work.branch_on_rule)
            review_candidate >> rule >> [approve_model, ask_reviewer, alert_approval]
    return dag


for found in use_cases(__file__, names.train_dag):
    dag_id = names.train_dag(found.name)
    globals()[dag_id] = (
        broken_dag(found, dag_id, found.schedule.training) if isinstance(found, UseCaseError) else build(found)
    )
