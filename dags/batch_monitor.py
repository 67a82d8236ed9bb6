"""One daily DAG per use case: check the day's data for drift, score it, publish or hold, and tell the right people.

A use case is a file in `use_cases/`; this file only draws the DAG.
"""

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param, TriggerRule

from sagemaker_batch import daily, names
from sagemaker_batch.daily import Daily
from sagemaker_batch.declare import broken_dag, defaults, start, timetable, use_cases
from sagemaker_batch.failures import failure_callback
from sagemaker_batch.lineage import LineageOperator, of_published
from sagemaker_batch.operators import StartPipelineOperator
from sagemaker_batch.report.operator import LinkedBranchOperator, LinkedPythonOperator, ReportOperator
from sagemaker_batch.sensor import PipelineSensor
from sagemaker_batch.use_case import UseCase, UseCaseError
from sagemaker_batch.wait import BatchInputSensor

DOC = """
**{name}**: {description}

Each run scores one *batch day*, the start of its data interval in {timezone}. A backfill of 3-5 March runs exactly the
3rd, 4th and 5th; a run by hand names its `batch_day`. The approved model is resolved once; the day's data is checked
against the model's own baseline, then scored. Clean and slightly drifted days are published by one atomic manifest
(`{name}/published/`), critical ones are held, and the routes of the use case are alerted. Backfilled days never page:
they come in one digest. Every run leaves its verdict below `{name}/verdicts/`.
"""


def build(use_case: UseCase) -> DAG:
    """Declare the daily DAG of a use case."""
    work, schedule = Daily(use_case), use_case.schedule
    with DAG(
        names.batch_dag(use_case.name),
        description=f"Monitor and score one day of {use_case.name}",
        doc_md=DOC.format(name=use_case.name, description=use_case.description, timezone=schedule.timezone),
        schedule=timetable(schedule.batch, schedule.timezone),
        start_date=start(schedule),
        catchup=schedule.catchup,
        max_active_runs=16,
        tags=sorted({*use_case.tags, use_case.name, "daily"}),
        default_args=defaults(use_case),
        on_failure_callback=failure_callback(use_case.name, use_case.alerts, schedule.timezone),
        params={
            "batch_day": Param(
                None,
                type=["null", "string"],
                format="date",
                title="Batch day",
                description="The day to score, such as 2026-03-03. Required for a run by hand; leave it empty in a "
                "backfill, whose runs each have their own day.",
            ),
            "model_policy": Param(
                use_case.model.policy,
                type="string",
                pattern="^(latest|as_of|published|arn:.+)$",
                title="Which model scores",
                description="latest: the newest approved version. as_of: the newest that was approved by the end of "
                "the batch day. published: the one that the day's manifest names. Or the ARN of a model package.",
            ),
        },
        user_defined_macros={"batch_pipeline": work.pipeline},
    ) as dag:
        wait_for_batch = BatchInputSensor(task_id=daily.WAIT, use_case=use_case)
        resolve_model = PythonOperator(task_id=daily.RESOLVE, python_callable=work.resolve_model)
        start_batch_monitor = StartPipelineOperator(
            task_id=daily.START,
            pipeline_name="{{ batch_pipeline() }}",
            about="{{ ti.xcom_pull(task_ids='wait_for_batch')['batch_day'] }}",
            timeout=6 * 3600,
            parameters={
                "InputDataUri": "{{ ti.xcom_pull(task_ids='wait_for_batch')['prefix'] }}",
                "OutputPrefixUri": "{{ ti.xcom_pull(task_ids='wait_for_batch')['output_prefix'] }}",
                "ModelPackageArn": "{{ ti.xcom_pull(task_ids='resolve_model')['arn'] }}",
                "ConstraintsUri": "{{ ti.xcom_pull(task_ids='resolve_model')['constraints_uri'] }}",
            },
        )
        # Any end comes back as an outcome: assess_batch judges, because a broken schema ends Failed and is a held day.
        wait_for_batch_monitor = PipelineSensor(
            task_id=daily.FINISH,
            execution_arn="{{ ti.xcom_pull(task_ids='start_batch_monitor') }}",
            fail_on=(),
            timeout=3600,
        )
        judged = {"pages": work.pages, "buttons": ("report", "verdict")}
        published = {"pages": work.pages, "buttons": ("report", "manifest")}
        assess_batch = LinkedPythonOperator(task_id=daily.ASSESS, python_callable=work.assess_batch, **judged)
        branch_on_violations = LinkedBranchOperator(
            task_id=daily.BRANCH, python_callable=work.branch_on_violations, **judged
        )
        publish_predictions = LineageOperator(
            task_id=daily.PUBLISH,
            python_callable=work.publish_predictions,
            outlets=[work.predictions],
            lineage=of_published,
            **published,
        )
        hold_predictions = LinkedPythonOperator(
            task_id=daily.HOLD,
            python_callable=work.hold_predictions,
            pages=work.held_pages,
            buttons=("report", "verdict", "manifest"),
        )
        alert_warning = LinkedPythonOperator(task_id=daily.WARN, python_callable=work.alert, **judged)
        alert_critical = LinkedPythonOperator(task_id=daily.CRITICAL, python_callable=work.alert, **judged)
        # Beside publish and hold: they wait for no picture, and a failed assessment is drawn as well.
        write_report = ReportOperator(
            task_id=daily.REPORT,
            python_callable=work.write_report,
            trigger_rule=TriggerRule.ALL_DONE,
            pages=work.pages,
            buttons=("report", "verdict", "manifest"),
        )
        close_run = PythonOperator(task_id=daily.CLOSE, python_callable=work.close_run).as_teardown()

        wait_for_batch >> resolve_model >> start_batch_monitor >> wait_for_batch_monitor >> assess_batch
        ends = [publish_predictions, alert_warning, hold_predictions, alert_critical]
        assess_batch >> branch_on_violations >> ends >> close_run
        assess_batch >> write_report >> close_run
    return dag


for found in use_cases(__file__, names.batch_dag):
    dag_id = names.batch_dag(found.name)
    globals()[dag_id] = (
        broken_dag(found, dag_id, found.schedule.batch) if isinstance(found, UseCaseError) else build(found)
    )
