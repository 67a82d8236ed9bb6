"""The pages inside Airflow: use cases at a glance, calendars, models, drift. Read-only, behind Airflow's login."""
