"""One DAG per use case for days that are held: list them, release one with a reason, discard it, or run it again.

A use case is a file in `use_cases/`; this file only draws the DAG.
"""

from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param

from sagemaker_batch import holding, names
from sagemaker_batch.declare import broken_dag, defaults, start, use_cases
from sagemaker_batch.failures import failure_callback
from sagemaker_batch.holding import Holding
from sagemaker_batch.report.operator import LinkedPythonOperator
from sagemaker_batch.use_case import UseCase, UseCaseError

DOC = """
**{name}**: {description}

Runs by hand only, so that Airflow's permissions say who may. *list* shows the held days. *release* publishes a held day
all the same: who and why stand in its manifest. *discard* notes that it is never to be published. *run again* starts
the daily DAG for the day, as after its files were put right. An execution's predictions are decided on once.
"""


def build(use_case: UseCase) -> DAG:
    """Declare the DAG of a use case."""
    work = Holding(use_case)
    with DAG(
        names.held_dag(use_case.name),
        description=f"Release, discard or re-run held days of {use_case.name}",
        doc_md=DOC.format(name=use_case.name, description=use_case.description),
        schedule=None,
        start_date=start(use_case.schedule),
        catchup=False,
        max_active_runs=1,
        tags=sorted({*use_case.tags, use_case.name, "held"}),
        default_args=defaults(use_case, days=False),
        on_failure_callback=failure_callback(use_case.name, use_case.alerts, None),
        params={
            "action": Param(
                "list",
                type="string",
                enum=list(holding.ACTIONS),
                title="What to do",
                description="list shows what is held; the others need a batch day.",
            ),
            "batch_day": Param(
                None,
                type=["null", "string"],
                format="date",
                title="Batch day",
                description="The held day, such as 2026-03-03.",
            ),
            "reason": Param(
                "",
                type="string",
                maxLength=500,
                title="Why",
                description="Needed to release or discard; it stands in the manifest or in the decision's record.",
            ),
        },
    ) as dag:
        list_held = PythonOperator(task_id=holding.LIST, python_callable=work.list_held)
        branch = BranchPythonOperator(task_id=holding.BRANCH, python_callable=work.branch_on_action)
        release = LinkedPythonOperator(
            task_id=holding.RELEASE,
            python_callable=work.release_predictions,
            outlets=[work.predictions],
            pages=work.pages,
            buttons=("manifest",),
        )
        discard = PythonOperator(task_id=holding.DISCARD, python_callable=work.discard_predictions)
        again = TriggerDagRunOperator(
            task_id=holding.AGAIN,
            trigger_dag_id=names.batch_dag(use_case.name),
            conf={"batch_day": "{{ params.batch_day }}"},
        )
        list_held >> branch >> [release, discard, again]
    return dag


for found in use_cases(__file__, names.held_dag):
    dag_id = names.held_dag(found.name)
    globals()[dag_id] = broken_dag(found, dag_id, None) if isinstance(found, UseCaseError) else build(found)
