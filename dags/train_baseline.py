"""One monthly DAG per use case: train, evaluate, baseline and register a model version, then have it reviewed.

A use case is a file in `use_cases/`; this file only draws the DAG.
"""

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param

from sagemaker_batch import monthly
from sagemaker_batch.declare import broken_dag, defaults, start, timetable, use_cases
from sagemaker_batch.failures import failure_callback
from sagemaker_batch.monthly import Monthly
from sagemaker_batch.operators import StartPipelineOperator
from sagemaker_batch.report.operator import ReportOperator
from sagemaker_batch.sensor import PipelineSensor
from sagemaker_batch.use_case import UseCase, UseCaseError

SUFFIX = "_train_baseline"
DOC = """
**{name}**: {description}

Trains a model, evaluates it on rows that it has not seen, makes the data-quality baselines that the daily DAG compares
with, and registers a version in the model registry. Below the accuracy threshold nothing is registered and the run
fails with both numbers. Approval is **{approval}**: {how}
"""
HOW = {
    "manual": "the version waits for a person, and review_candidate's log says how to approve it.",
    "auto": "a version at or above the threshold is approved by rule.",
}


def build(use_case: UseCase) -> DAG:
    """Declare the monthly DAG of a use case."""
    work, schedule = Monthly(use_case), use_case.schedule
    how = HOW[use_case.approval]
    with DAG(
        f"{use_case.name}{SUFFIX}",
        description=f"Train, baseline and register a model of {use_case.name}",
        doc_md=DOC.format(name=use_case.name, description=use_case.description, approval=use_case.approval, how=how),
        schedule=timetable(schedule.training, schedule.timezone),
        start_date=start(schedule),
        catchup=False,
        max_active_runs=1,
        tags=sorted({*use_case.tags, use_case.name, "monthly"}),
        default_args=defaults(use_case),
        on_failure_callback=failure_callback(use_case.name, use_case.alerts, schedule.timezone),
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
        read_candidate = PythonOperator(task_id=monthly.READ, python_callable=work.read_candidate)
        write_report = ReportOperator(task_id=monthly.REPORT, python_callable=work.write_report)
        review_candidate = PythonOperator(task_id=monthly.REVIEW, python_callable=work.review_candidate)

        start_training >> wait_for_training >> read_candidate >> [review_candidate, write_report]
    return dag


for found in use_cases(__file__, SUFFIX):
    dag_id = f"{found.name}{SUFFIX}"
    globals()[dag_id] = (
        broken_dag(found, dag_id, found.schedule.training) if isinstance(found, UseCaseError) else build(found)
    )
