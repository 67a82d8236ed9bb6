"""Asking a person inside Airflow: the task waits in state `awaiting_input`, and holds neither worker nor triggerer."""

from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator, HITLOperator
from airflow.sdk.exceptions import AirflowFailException

from sagemaker_batch.report.operator import Linked

ANSWER = "answer"


class AskReviewer(Linked, HITLBranchOperator):
    """Airflow's own branching question, which also leaves the whole answer behind and names a silence.

    The XCom `answer` has `chosen_options`, `params_input`, `responded_at` (ISO 8601) and `responded_by_user`; the
    return value names the tasks that follow. Airflow refuses a second answer. Nobody answering in time fails the task
    for good: a repetition would only ask the same people again.
    """

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Take the answer, keep it, and branch by it."""
        self.asked = context
        given: Mapping[str, Any] = HITLOperator.execute_complete(self, context, event)
        answer = {**given, "responded_at": given["responded_at"].isoformat()}
        context["ti"].xcom_push(key=ANSWER, value=answer)
        chosen = [self.options_mapping.get(option, option) for option in answer["chosen_options"]]
        return self.do_branch(context=context, branches_to_execute=chosen)

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Fail with words when nobody answered.

        Raises:
            AirflowFailException: always.
        """
        if event.get("error_type") == "timeout":
            from sagemaker_batch.errors import Unanswered

            said = (
                f"Nobody answered {self.subject!r} within {self.response_timeout}. The version stays pending and "
                "nothing changes for the daily runs. Clear this task to ask again, or approve or reject the version "
                "by the command in its page."
            )
            raise AirflowFailException(said) from Unanswered(said)
        super().process_trigger_event_error(event)
