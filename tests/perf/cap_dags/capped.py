"""Three DAGs that start one pipeline: two to backfill, and one that the clock runs. For test_cap.py."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from sagemaker_batch.operators import StartPipelineOperator
from sagemaker_batch.sensor import PipelineSensor

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
CLOCK_DAYS = 5

for name in ("first", "second", "clock"):
    with DAG(
        name,
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=TODAY - timedelta(days=CLOCK_DAYS),
        catchup=name == "clock",
        max_active_runs=30,
        default_args={"retries": 2, "weight_rule": "upstream"},
    ) as dag:
        start = StartPipelineOperator(task_id="start", pipeline_name="cap-proof", timeout=3600)
        wait = PipelineSensor(task_id="wait", execution_arn="{{ ti.xcom_pull(task_ids='start') }}", timeout=600)
        start >> wait
    globals()[name] = dag
