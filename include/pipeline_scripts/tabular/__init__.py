"""What the scripts of every use case share. Runs where the SageMaker images run: Python 3.9, nothing of Airflow."""
