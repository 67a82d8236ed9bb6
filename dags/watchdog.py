"""One watchdog per use case: days without a verdict, approvals given elsewhere, lost alerts, requests to retrain.

A use case is a file in `use_cases/`; this file only draws the DAG.
"""

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

from sagemaker_batch import names, watchdog
from sagemaker_batch.declare import broken_dag, defaults, start, timetable, use_cases
from sagemaker_batch.use_case import UseCase, UseCaseError
from sagemaker_batch.watchdog import Watchdog

DOC = """
**{name}**: {description}

Sees what no run sees of itself: days that should have a verdict and have none, because no run was ever made; versions
that were approved in SageMaker, for which it emits the asset `{name}/model_approved`; alerts that were not delivered.
Where the use case asks for it, it reads the verdicts and requests a new model (asset `{name}/retraining_requested`).
A task that has nothing to do is skipped.
"""


def build(use_case: UseCase) -> DAG:
    """Declare the watchdog of a use case."""
    work, schedule = Watchdog(use_case), use_case.schedule
    with DAG(
        names.watchdog_dag(use_case.name),
        description=f"Watch over {use_case.name}",
        doc_md=DOC.format(name=use_case.name, description=use_case.description),
        schedule=timetable(schedule.watchdog, schedule.timezone),
        start_date=start(schedule),
        catchup=False,
        max_active_runs=1,
        tags=sorted({*use_case.tags, use_case.name, "watchdog"}),
        # Its tasks tell of themselves. A callback of the DAG would tell of flush_alerts as well, each hour anew.
        default_args=defaults(use_case, days=False),
    ) as dag:
        PythonOperator(task_id=watchdog.DAYS, python_callable=work.check_days)
        PythonOperator(
            task_id=watchdog.APPROVALS,
            python_callable=work.check_approvals,
            inlets=[work.model_approved],
            outlets=[work.model_approved],
        )
        # A lost alert must not make another: this task fails, and so shows, without a callback of its own.
        PythonOperator(task_id=watchdog.FLUSH, python_callable=work.flush_alerts, on_failure_callback=None)
        if use_case.retraining.enabled:
            PythonOperator(
                task_id=watchdog.RETRAIN,
                python_callable=work.consider_retraining,
                inlets=[work.retraining],
                outlets=[work.retraining],
            )
    return dag


for found in use_cases(__file__, names.watchdog_dag):
    dag_id = names.watchdog_dag(found.name)
    globals()[dag_id] = (
        broken_dag(found, dag_id, found.schedule.watchdog) if isinstance(found, UseCaseError) else build(found)
    )
