import json

import pytest

from include.infrastructure.__main__ import main
from include.infrastructure.deployment import Deployment, DeploymentError, deployment_record
from include.infrastructure.function import code_sha256, function_zip
from sagemaker_batch import names, records


def outcomes(environment, compiled, *, act=True):
    items = compiled if isinstance(compiled, list) else [compiled]
    with Deployment(environment, items, act=act) as deployment:
        return {(change.kind, change.name): change.outcome for change in deployment.changes()}


def test_deploying_makes_everything_once(aws, environment, compiled, compiled_all, capsys):
    """Plan changes nothing, apply makes everything, a second apply changes nothing, status agrees each time."""
    assert main(["plan"]) == 0
    assert aws("s3").list_buckets()["Buckets"] == []
    assert main(["status"]) == 1
    first = outcomes(environment, compiled_all)
    assert set(first.values()) == {"created"}
    capsys.readouterr()
    assert set(outcomes(environment, compiled_all).values()) == {"unchanged"}
    assert main(["status"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"local: {len(first)} ready."

    bucket = environment.bucket
    assert aws("s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    keys = {item["Key"] for item in aws("s3").list_objects_v2(Bucket=bucket)["Contents"]}
    prefix = names.code_prefix(compiled.code_digest)
    assert {f"{prefix}prepare.py", f"{prefix}tabular/schema.py", "churn/deployment.json"} <= keys
    churns = [key for key in keys if key.startswith(prefix)]
    assert not [key for key in churns if "monitor_analyzer" in key or key.endswith(".pyc")]

    pipeline = aws("sagemaker").describe_pipeline(PipelineName="churn-batch-monitor-local")
    assert json.loads(pipeline["PipelineDefinition"]) == json.loads(compiled.batch_monitor)
    assert pipeline["RoleArn"].endswith(":role/sagemaker-batch-execution-local")

    record = json.loads(aws("s3").get_object(Bucket=bucket, Key="churn/deployment.json")["Body"].read())
    assert record["code_digest"] == compiled.code_digest
    assert record["use_case"]["name"] == "churn"
    assert record["pipelines"]["train_baseline"]["name"] == "churn-train-baseline-local"


def test_the_overviews_record_is_shared_by_those_who_deploy(aws, environment, compiled_all, monkeypatch):
    """Entries of use cases that another deployment brought stay, also when it is at work at the same time."""
    bucket, key = environment.bucket, names.deployments_key()
    outcomes(environment, compiled_all[:1])
    put = records.replace

    def read():
        return json.loads(aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read())["use_cases"]

    def overtaken(client, where, what, content, etag):
        monkeypatch.setattr(records, "replace", put)
        other = {**read(), "other": {"use_case": {}}}
        records.write(client, where, what, {"version": 1, "use_cases": other})
        return put(client, where, what, content, etag)

    monkeypatch.setattr(records, "replace", overtaken)
    assert outcomes(environment, compiled_all)["record", key] == "updated"
    found = read()
    assert set(found) == {"other", *(item.use_case.name for item in compiled_all)}
    for item in compiled_all:
        entry, whole = found[item.use_case.name], deployment_record(environment, item)
        assert entry["model_package_group"] == whole["model_package_group"]
        assert entry["use_case"] == {part: whole["use_case"][part] for part in ("description", "owners", "schedule")}


def test_an_alert_reaches_the_inbox(aws, environment, compiled):
    """What is published to the topic can be read back from the queue."""
    outcomes(environment, compiled)
    topic = names.topic_arn(environment.name, environment.region, environment.account)
    aws("sns").publish(TopicArn=topic, Subject="held", Message="churn 2026-03-03")
    url = aws("sqs").get_queue_url(QueueName=names.alert_inbox(environment.name))["QueueUrl"]
    (message,) = aws("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert json.loads(message["Body"])["Message"] == "churn 2026-03-03"


def test_what_differs_is_updated_and_nothing_else(aws, environment, compiled):
    """A change made by hand is found and set right."""
    outcomes(environment, compiled)
    aws("sagemaker").update_pipeline(
        PipelineName="churn-batch-monitor-local", PipelineDefinition=compiled.train_baseline
    )
    aws("iam").delete_role_policy(RoleName="sagemaker-batch-lambda-local", PolicyName="sagemaker-batch")
    aws("s3").put_bucket_versioning(Bucket=environment.bucket, VersioningConfiguration={"Status": "Suspended"})
    aws("s3").delete_object(Bucket=environment.bucket, Key=f"code/{compiled.code_digest}/prepare.py")
    aws("lambda").update_function_configuration(FunctionName="get-latest-model-local", Timeout=3)
    found = outcomes(environment, compiled)
    assert {name for (_, name), outcome in found.items() if outcome == "updated"} == {
        "churn-batch-monitor-local",
        "sagemaker-batch-lambda-local",
        environment.bucket,
        f"code/{compiled.code_digest}/",
        "get-latest-model-local",
    }
    assert set(outcomes(environment, compiled).values()) == {"unchanged"}


def invoke(aws, **event):
    answer = aws("lambda").invoke(FunctionName="get-latest-model-local", Payload=json.dumps(event))
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def test_the_function_answers_with_the_approved_model_or_says_why_not(aws, environment, compiled):
    """Deployed, the Lambda function resolves as the registry does, in texts, and its errors are the registry's."""
    outcomes(environment, compiled)
    group = "churn-local"
    failed, answer = invoke(aws, ModelPackageGroupName=group, ModelPackageArn="")
    assert failed
    assert "No approved model in model package group 'churn-local'" in answer["errorMessage"]

    source = {"ContentType": "application/json", "S3Uri": "s3://b/x.json"}
    container = {"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"}
    arn = aws("sagemaker").create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{**container, "ModelDataUrl": "s3://b/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        DriftCheckBaselines={"ModelDataQuality": {"Statistics": source, "Constraints": source}},
        CustomerMetadataProperties={"ModelName": "m", "FeatureSchemaUri": "s3://b/feature_schema.json"},
    )["ModelPackageArn"]
    failed, answer = invoke(aws, ModelPackageGroupName=group, ModelPackageArn="")
    assert (failed, answer) == (
        None,
        {
            "ModelPackageArn": arn,
            "ModelPackageVersion": "1",
            "ModelName": "m",
            "StatisticsUri": "s3://b/x.json",
            "ConstraintsUri": "s3://b/x.json",
            "FeatureSchemaUri": "s3://b/feature_schema.json",
        },
    )
    assert invoke(aws, ModelPackageGroupName=group, ModelPackageArn=arn)[1] == answer
    assert aws("lambda").get_function(FunctionName="get-latest-model-local")["Configuration"][
        "CodeSha256"
    ] == code_sha256(function_zip())


def test_another_account_is_refused_before_anything_is_made(aws, environment, compiled):
    """Credentials of the wrong account change nothing."""
    other = environment.model_copy(update={"account": "123456789012"})
    with pytest.raises(DeploymentError, match="belong to account 000000000000"):
        outcomes(other, compiled)
    assert aws("s3").list_buckets()["Buckets"] == []


def test_an_endpoint_that_does_not_answer_is_one_clear_error(monkeypatch, capsys):
    """With the laptop's AWS down, deploying says where to look."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert main(["apply"]) == 1
    assert "is it up?" in capsys.readouterr().err
