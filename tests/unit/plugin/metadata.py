"""Airflow's metadata, for tests that share its process."""

import gc
import warnings


def make() -> None:
    """Make the tables in the SQLite of AIRFLOW_HOME; again is no harm."""
    from airflow.utils.db import initdb

    # Airflow 3.3.1's migration leaves connections open, which Python tells of from 3.13 on. They are collected here,
    # so that the warning passes for them alone.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed database in <sqlite3", ResourceWarning)
        initdb()
        gc.collect()
