"""What everything is called: pure functions of use case, environment and day.

Deployment, DAGs, Lambda and the laptop meet in these names only. S3 layout: docs/architecture.md.
"""

import re
from datetime import date

SUCCESS_OBJECT = "_SUCCESS"
# The Param in which a reviewer says why.
REVIEW_COMMENT = "comment"


def slug(use_case: str) -> str:
    """Return the use case as SageMaker's name patterns allow it: underscores become hyphens."""
    return use_case.replace("_", "-")


def train_pipeline(use_case: str, environment: str) -> str:
    """Name of the pipeline that trains, evaluates, baselines and registers."""
    return f"{slug(use_case)}-train-baseline-{environment}"


def batch_pipeline(use_case: str, environment: str) -> str:
    """Name of the pipeline that monitors and scores one day."""
    return f"{slug(use_case)}-batch-monitor-{environment}"


def quality_pipeline(use_case: str, environment: str) -> str:
    """Name of the pipeline that joins a day's labels to its predictions and checks them."""
    return f"{slug(use_case)}-model-quality-{environment}"


def model_package_group(use_case: str, environment: str) -> str:
    """Name of the model registry's group of the use case."""
    return f"{slug(use_case)}-{environment}"


def lambda_function(environment: str) -> str:
    """Name of the function behind the batch pipeline's Lambda step."""
    return f"get-latest-model-{environment}"


def alert_topic(environment: str) -> str:
    """Name of the SNS topic that alerts go to."""
    return f"sagemaker-batch-alerts-{environment}"


def alert_inbox(environment: str) -> str:
    """Name of the SQS queue subscribed to the alerts, where the environment wants one."""
    return f"sagemaker-batch-inbox-{environment}"


def registry_queue(environment: str) -> str:
    """Name of the SQS queue that hears of approvals, where an environment has one."""
    return f"sagemaker-batch-registry-{environment}"


def execution_role(environment: str) -> str:
    """Name of the role that pipelines and their jobs run as."""
    return f"sagemaker-batch-execution-{environment}"


def lambda_role(environment: str) -> str:
    """Name of the role that the Lambda function runs as."""
    return f"sagemaker-batch-lambda-{environment}"


def airflow_role(environment: str) -> str:
    """Name of the role whose policy Airflow's workers need."""
    return f"sagemaker-batch-airflow-{environment}"


def topic_arn(environment: str, region: str, account: str) -> str:
    """ARN of the alert topic."""
    return f"arn:aws:sns:{region}:{account}:{alert_topic(environment)}"


def function_arn(environment: str, region: str, account: str) -> str:
    """ARN of the Lambda function."""
    return f"arn:aws:lambda:{region}:{account}:function:{lambda_function(environment)}"


def role_arn(role: str, account: str) -> str:
    """ARN of a role by its name."""
    return f"arn:aws:iam::{account}:role/{role}"


def train_dag(use_case: str) -> str:
    """DAG id of the monthly DAG."""
    return f"{use_case}_train_baseline"


def batch_dag(use_case: str) -> str:
    """DAG id of the daily DAG."""
    return f"{use_case}_batch_monitor"


def held_dag(use_case: str) -> str:
    """DAG id of the DAG that releases and discards held predictions."""
    return f"{use_case}_held_predictions"


def watchdog_dag(use_case: str) -> str:
    """DAG id of the DAG that watches the others."""
    return f"{use_case}_watchdog"


def quality_dag(use_case: str) -> str:
    """DAG id of the DAG that judges the model by labels that arrived."""
    return f"{use_case}_model_quality"


def execution_id(execution_arn: str) -> str:
    """Return the last part of a pipeline execution's ARN: the id that S3 prefixes carry."""
    return execution_arn.rsplit("/", 1)[-1]


def deployment_key(use_case: str) -> str:
    """Key of the record of what was deployed."""
    return f"{use_case}/deployment.json"


def deployments_key() -> str:
    """Key of what the overview shows of every use case that was deployed: one object, however many there are."""
    return "deployments.json"


def input_prefix(use_case: str, day: date) -> str:
    """Prefix of one day's input files, with the closing slash."""
    return f"{use_case}/input/dt={day:%Y-%m-%d}/"


def training_input_prefix(use_case: str) -> str:
    """Prefix of the training data set, with the closing slash."""
    return f"{use_case}/training/input/"


def training_prefix(use_case: str) -> str:
    """Prefix below which each training execution writes `<execution id>/`; no closing slash."""
    return f"{use_case}/training"


def batch_prefix(use_case: str, day: date) -> str:
    """Prefix below which each execution for a day writes `<execution id>/`; no closing slash."""
    return f"{use_case}/batches/dt={day:%Y-%m-%d}"


def verdicts_prefix(use_case: str, day: date) -> str:
    """Prefix of a day's verdicts, with the closing slash."""
    return f"{use_case}/verdicts/dt={day:%Y-%m-%d}/"


def verdict_key(use_case: str, day: date, execution: str) -> str:
    """Key of the verdict of one execution (its id)."""
    return f"{verdicts_prefix(use_case, day)}{execution}.json"


def manifest_key(use_case: str, day: date) -> str:
    """Key of the one pointer that consumers of a day's predictions read."""
    return f"{use_case}/published/dt={day:%Y-%m-%d}.json"


def history_key(use_case: str, day: date, execution: str) -> str:
    """Key under which a manifest is kept when another execution (its id) replaces it."""
    return f"{use_case}/history/dt={day:%Y-%m-%d}/{execution}.json"


def days_prefix(use_case: str) -> str:
    """Prefix of the index of days: empty objects whose keys say what became of each (`day_index`)."""
    return f"{use_case}/days/"


def report_key(use_case: str, day: date, execution: str) -> str:
    """Key of the report of one execution (its id): an HTML file for people."""
    return f"{reports_prefix(use_case)}{day:%Y-%m-%d}/{execution}.html"


def report_record_key(use_case: str, day: date, execution: str) -> str:
    """Key of a report's figures, which later reports and the pages read."""
    return f"{reports_prefix(use_case)}{day:%Y-%m-%d}/{execution}.json"


def reports_prefix(use_case: str) -> str:
    """Prefix of the reports of all days; a day (`YYYY-MM-DD/`) follows."""
    return f"{use_case}/reports/dt="


def training_report_key(use_case: str, execution: str) -> str:
    """Key of the report of one training (its execution's id)."""
    return f"{use_case}/reports/training/{execution}.html"


def alerts_prefix(use_case: str) -> str:
    """Prefix of the conditional-put keys that make an alert go out once, with the closing slash."""
    return f"{use_case}/alerts/"


def held_key(use_case: str, day: date, execution: str) -> str:
    """Key of what a person decided on the held predictions of an execution (its id)."""
    return f"{use_case}/held/dt={day:%Y-%m-%d}/{execution}.json"


def watch_key(use_case: str) -> str:
    """Key of the day from which on the watchdog expects verdicts."""
    return f"{alerts_prefix(use_case)}watch.json"


def ground_truth_prefix(use_case: str, day: date) -> str:
    """Prefix of one day's label files where the use case does not say otherwise, with the closing slash."""
    return f"{use_case}/ground_truth/dt={day:%Y-%m-%d}/"


def quality_prefix(use_case: str, day: date) -> str:
    """Prefix below which each model-quality execution for a day writes `<execution id>/`; no closing slash."""
    return f"{use_case}/model_quality/dt={day:%Y-%m-%d}"


def quality_key(use_case: str, day: date, execution: str) -> str:
    """Key of the quality record of one execution (its id)."""
    return f"{use_case}/quality/dt={day:%Y-%m-%d}/{execution}.json"


def quality_index_prefix(use_case: str) -> str:
    """Prefix of the index of quality records: empty objects whose keys say what each found (`quality_index`)."""
    return f"{use_case}/quality_days/"


def code_prefix(digest: str) -> str:
    """Prefix of the scripts as they were when the pipelines were compiled, with the closing slash."""
    return f"code/{digest}/"


def s3_uri(bucket: str, key: str) -> str:
    """Join bucket and key (or prefix)."""
    return f"s3://{bucket}/{key}"


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Split `s3://bucket/key` into bucket and key.

    Raises:
        ValueError: it is no S3 URI.
    """
    found = re.fullmatch(r"s3://([^/]+)(?:/(.*))?", uri, re.DOTALL)
    if found is None:
        raise ValueError(f"{uri!r} is no S3 URI; expected s3://<bucket>/<key>")
    return found[1], found[2] or ""
