"""Lines of JSON in the tasks' logs, for searches: what happened, with run, execution and batch day."""

import json
from typing import Any

PREFIX = "sagemaker_batch"


def line(event: str, run: dict[str, Any], *, execution_arn: str, batch_day: str = "", **facts: Any) -> str:
    """Return one line; keys in order, so that equal lines are equal texts.

    Args:
        event: what happened: started, verdict, published, held, trained.
        run: has `dag_id` and `run_id`.
        execution_arn: of the pipeline execution.
        batch_day: empty where the run is about none, as a training is.
        facts: what else there is to say.
    """
    return json.dumps(
        {
            "event": f"{PREFIX}.{event}",
            "dag_id": run["dag_id"],
            "run_id": run["run_id"],
            "execution_arn": execution_arn,
            **({"batch_day": batch_day} if batch_day else {}),
            **facts,
        },
        sort_keys=True,
    )
