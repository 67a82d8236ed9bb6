"""docs/operators.md: its example is a DAG, and it explains every argument."""

import inspect
import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

from sagemaker_batch.operators import StartPipelineOperator
from sagemaker_batch.sensor import PipelineSensor
from sagemaker_batch.status import MEANINGS

PAGE = (Path(__file__).parents[2] / "docs" / "operators.md").read_text()


def test_the_example_is_a_dag_that_airflow_takes():
    """What a reader copies works: two tasks, the start in the capped pool, the sensor after it."""
    from airflow.serialization.serialized_objects import DagSerialization

    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    scope = {}
    exec(compile(code, "docs/operators.md", "exec"), scope)  # noqa: S102 - our own page
    dag = scope["start"].dag
    assert isinstance(dag, DAG)
    assert {task.task_id: set(task.downstream_task_ids) for task in dag.tasks} == {"start": {"wait"}, "wait": set()}
    assert DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("start").pool == "sagemaker_executions"


@pytest.mark.parametrize("operator", [StartPipelineOperator, PipelineSensor])
def test_every_argument_is_explained(operator):
    """On the page and in the docstring."""
    names = [name for name in inspect.signature(operator.__init__).parameters if name not in {"self", "kwargs"}]
    assert names
    section = PAGE.split(f"## {operator.__name__}\n")[1].split("\n## ")[0]
    for name in names:
        assert f"`{name}`" in section, name
        assert re.search(rf"\b{name}\b", operator.__doc__), name


def test_every_status_is_explained():
    """With its verdict."""
    for status in MEANINGS:
        assert f"`{status}`" in PAGE, status
