"""One watcher for the environment: what is approved in SageMaker becomes each use case's asset within moments.

It is there when `[sagemaker_batch] registry_queue` names the queue; without one the watchdogs look every hour.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from sagemaker_batch.settings import registry_queue

if TYPE_CHECKING:
    from airflow.sdk import DAG

DOC = """
An EventBridge rule puts every approval of a model package into the queue `{queue}`. A trigger hands the messages on,
`tell_approvals` emits `<use case>/model_approved` for each use case whose group they name, and only then
`delete_messages` deletes them. Whatever fails or dies in between, the queue shows them again.
"""


def build(queue: str) -> "DAG":
    """Declare the watcher of a queue."""
    # Here, so that an environment without a queue pays for none of it at parse.
    from airflow.providers.standard.operators.python import PythonOperator
    from airflow.sdk import DAG, TriggerRule

    from sagemaker_batch import registry_events
    from sagemaker_batch.declare import use_case_names
    from sagemaker_batch.refusals import AwsRetryPolicy
    from sagemaker_batch.registry_events import Watcher

    work = Watcher(queue, use_case_names(__file__))
    with DAG(
        registry_events.WATCHER,
        description="Tell each use case of the model versions that were approved outside Airflow",
        doc_md=DOC.format(queue=queue),
        schedule=[work.heard],
        catchup=False,
        max_active_runs=1,
        tags=["sagemaker", "watchdog"],
        default_args={
            "owner": "sagemaker_batch",
            "retries": 4,
            # Short: what fails for good is shown again by the queue in minutes.
            "retry_delay": timedelta(seconds=3),
            "retry_exponential_backoff": True,
            "retry_policy": AwsRetryPolicy(),
        },
    ) as dag:
        tell = PythonOperator(
            task_id=registry_events.TELL,
            python_callable=work.tell_approvals,
            inlets=[work.heard, *work.assets.values()],
            # An alias: a plain outlet would be emitted for every use case, whichever was approved.
            outlets=[work.approvals],
        )
        # When there was nothing to tell, the first one is skipped.
        delete = PythonOperator(
            task_id=registry_events.DELETE, python_callable=work.delete_messages, trigger_rule=TriggerRule.NONE_FAILED
        )
        tell >> delete
    return dag


if queue_url := registry_queue():
    model_registry_watcher = build(queue_url)
