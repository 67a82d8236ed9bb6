"""One DAG per use case with labels: when they arrive, compare them with the predictions that were published.

A use case is a file in `use_cases/`; this file only draws the DAG. Without a section `quality` there is none.
"""

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param, TriggerRule, task_group

from sagemaker_batch import ground_truth, model_quality, names
from sagemaker_batch.declare import broken_dag, defaults, start, timetable, use_cases
from sagemaker_batch.failures import failure_callback
from sagemaker_batch.model_quality import ModelQuality
from sagemaker_batch.operators import StartPipelineOperator
from sagemaker_batch.sensor import PipelineSensor
from sagemaker_batch.use_case import UseCase, UseCaseError

DOC = """
**{name}**: {description}

A scheduled run looks for days whose labels have arrived or changed since they were last judged, and judges each: labels
are joined by record id to the predictions that were published, and compared with the baseline of the model version
that made them. A backfill judges exactly its days again; a run by hand may name one. What labels could not be used is
counted in the day's record below `{name}/quality/`. A drop is alerted (`quality_dropped`), and may request a new model;
backfilled days page nobody, they come in one digest.
"""


def build(use_case: UseCase) -> DAG:
    """Declare the model-quality DAG of a use case."""
    work, schedule = ModelQuality(use_case), use_case.schedule
    with DAG(
        names.quality_dag(use_case.name),
        description=f"Judge the model of {use_case.name} by labels that arrived",
        doc_md=DOC.format(name=use_case.name, description=use_case.description),
        schedule=timetable(schedule.quality, schedule.timezone),
        start_date=start(schedule),
        # One run finds all days, whenever it comes.
        catchup=False,
        max_active_runs=4,
        tags=sorted({*use_case.tags, use_case.name, "quality"}),
        default_args=defaults(use_case, days=False),
        on_failure_callback=failure_callback(use_case.name, use_case.alerts, None),
        params={
            "batch_day": Param(
                None,
                type=["null", "string"],
                format="date",
                title="Batch day",
                description="The one day to judge again, such as 2026-03-03. Empty: every day with new labels.",
            ),
        },
        user_defined_macros={"quality_pipeline": work.pipeline, "day_of": model_quality.day_of},
    ) as dag:
        find_labels = PythonOperator(task_id=model_quality.FIND, python_callable=work.find_labels)

        @task_group(prefix_group_id=False)
        def compare_day(found: object) -> None:  # noqa: ARG001 - each task asks for its own day
            start_model_quality = StartPipelineOperator(
                task_id=model_quality.START,
                pipeline_name="{{ quality_pipeline() }}",
                about="{{ day_of(ti)['batch_day'] }}",
                timeout=6 * 3600,
                parameters={name: f"{{{{ day_of(ti)['parameters']['{name}'] }}}}" for name in ground_truth.PARAMETERS},
            )
            wait_for_model_quality = PipelineSensor(
                task_id=model_quality.FINISH,
                execution_arn="{{ ti.xcom_pull(task_ids='start_model_quality', map_indexes=ti.map_index) }}",
                fail_on=(),
                timeout=3600,
            )
            start_model_quality >> wait_for_model_quality

        # All days in one task, oldest first: the rolling figures of a day rest on those before it.
        judge_quality = PythonOperator(
            task_id=model_quality.JUDGE,
            python_callable=work.judge_quality,
            trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
        )
        tell_quality = PythonOperator(task_id=model_quality.TELL, python_callable=work.tell_quality)
        close_run = PythonOperator(task_id=model_quality.CLOSE, python_callable=work.close_run).as_teardown()
        compare_day.expand(found=find_labels.output) >> judge_quality >> tell_quality >> close_run
    return dag


for known in use_cases(__file__, names.quality_dag):
    dag_id = names.quality_dag(known.name)
    if isinstance(known, UseCaseError):
        if known.has_quality:
            globals()[dag_id] = broken_dag(known, dag_id, known.schedule.quality)
    elif known.quality is not None:
        globals()[dag_id] = build(known)
