"""Airflow's simple auth manager, which knows roles only, with one user who may not read one DAG."""

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

OUTSIDER, SECRET_DAG = "outsider", "churn_batch_monitor"


class PickyAuthManager(SimpleAuthManager):
    """Refuses the outsider churn's daily DAG."""

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if user.get_id() == OUTSIDER and details is not None and details.id == SECRET_DAG:
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
