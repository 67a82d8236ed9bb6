"""The question that a monthly run asks its reviewer in Airflow: waited for and answered over REST, as by the UI."""

from local.rest import FINAL_STATES, AirflowApi
from sagemaker_batch.names import REVIEW_COMMENT

ASK, ASKS = "ask_reviewer", "awaiting_input"
APPROVE, REJECT = "Approve", "Reject"


def question(api: AirflowApi, dag: str, run: str, seconds: float) -> str:
    """Wait until a run asks; return the REST path of its question.

    Raises:
        HouseError: it did not ask in time.
        ValueError: it ended without asking, with the states of its tasks.
    """

    def asks() -> bool:
        states = {task["task_id"]: task["state"] for task in api.tasks(dag, run)}
        if (state := api.run(dag, run)["state"]) in FINAL_STATES:
            raise ValueError(f"{dag} {run} ended {state} without asking: {states}")
        return states.get(ASK) == ASKS

    api.wait(asks, seconds, lambda: f"{dag} {run} to ask its reviewer")
    return f"/dags/{dag}/dagRuns/{run}/taskInstances/{ASK}/-1/hitlDetails"


def answer(api: AirflowApi, asked: str, option: str, comment: str) -> None:
    """Answer a question."""
    api.request("PATCH", asked, json={"chosen_options": [option], "params_input": {REVIEW_COMMENT: comment}})
