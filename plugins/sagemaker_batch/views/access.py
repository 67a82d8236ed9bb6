"""Who may see what: Airflow's own login, and its permission to read the use case's daily DAG."""

from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, HTTPException, Path, Request

from sagemaker_batch import names
from sagemaker_batch.use_case.case import NAME_LIMIT, NAME_PATTERN

MONTHLY, DAILY, QUALITY = names.train_dag(""), names.batch_dag(""), names.quality_dag("")


def logged_in(user: GetUserDep) -> Any:
    """Refuse who is not logged in (401)."""
    return user


def readable(
    request: Request,
    user: GetUserDep,
    use_case: Annotated[str, Path(pattern=f"^{NAME_PATTERN}$", max_length=NAME_LIMIT)],
) -> str:
    """Return the use case of the path; refuse who may not read its daily DAG (403)."""
    requires_access_dag("GET", param_dag_id=names.batch_dag(use_case))(request, user)
    return use_case


def readable_dag(request: Request, user: GetUserDep, dag_id: str) -> str:
    """Return the use case of a DAG of ours; 403 without its permission, 404 for a DAG that is none of ours."""
    requires_access_dag("GET", param_dag_id=dag_id)(request, user)
    for ending in (DAILY, MONTHLY, QUALITY):
        if dag_id.endswith(ending) and len(dag_id) > len(ending):
            use_case = dag_id.removesuffix(ending)
            requires_access_dag("GET", param_dag_id=names.batch_dag(use_case))(request, user)
            return use_case
    raise HTTPException(404, f"{dag_id} is no DAG of a SageMaker batch use case, so there is nothing to show here.")


def readable_use_cases(user: GetUserDep) -> list[str]:
    """Return the use cases whose daily DAG the user may read, by name."""
    found = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return sorted(dag_id.removesuffix(DAILY) for dag_id in found if dag_id.endswith(DAILY) and len(dag_id) > len(DAILY))


LoggedIn = Depends(logged_in)
UseCaseName = Annotated[str, Depends(readable)]
UseCaseOfDag = Annotated[str, Depends(readable_dag)]
UseCaseNames = Annotated[list[str], Depends(readable_use_cases)]
