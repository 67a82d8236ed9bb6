"""The CloudFormation template of an environment, for platform teams who make roles and buckets by stacks.

It is generated from the same names, policies and settings that deployment uses, so that deployment finds what the stack
made and says `unchanged`. The function and the pipelines stay with deployment: their content changes with the code.

    python -m include.infrastructure.template --environment prod
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from include.infrastructure import access, command, storage
from include.infrastructure.environment import Environment
from include.infrastructure.policies import pipeline_names, policy, size
from include.infrastructure.site import Site
from sagemaker_batch import names
from sagemaker_batch.use_case import UseCase

LOG_DAYS = 90
# Characters of an event pattern: a quota of EventBridge.
PATTERN_LIMIT = 2_048
QUEUE_SECONDS = 1_209_600
LOGICAL = {"execution": "ExecutionRole", "lambda": "LambdaRole", "airflow": "AirflowRole"}


def template(environment: Environment, use_cases: list[UseCase]) -> dict[str, Any]:
    """Return the template; nothing in it depends on the moment."""
    resources = {
        **_storage(environment, use_cases),
        **_roles(environment, use_cases),
        **_alerts(environment),
        **_watching(environment, use_cases),
    }
    for use_case in use_cases:
        resources[f"{_camel(use_case.name)}Models"] = {
            "Type": "AWS::SageMaker::ModelPackageGroup",
            # Versions that were approved outlive a stack that is deleted by mistake.
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "ModelPackageGroupName": names.model_package_group(use_case.name, environment.name),
                "ModelPackageGroupDescription": use_case.description or f"Models of the use case {use_case.name}",
                **_tags(environment),
            },
        }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"airflow-sagemaker-batch, environment {environment.name}",
        "Resources": resources,
        "Outputs": {
            "AirflowRoleArn": {
                "Value": environment.roles.airflow or {"Fn::GetAtt": [LOGICAL["airflow"], "Arn"]},
            },
            "AlertTopicArn": {"Value": {"Ref": "AlertTopic"}},
            "RegistryQueueUrl": {"Value": {"Ref": "RegistryQueue"}},
            "BucketName": {"Value": {"Ref": "Bucket"}},
        },
    }


def _storage(environment: Environment, use_cases: list[UseCase]) -> dict[str, Any]:
    rules = storage.encryption(Site(environment, use_cases, act=False))["Rules"]
    (rule,) = storage.lifecycle()["Rules"]
    bucket = {
        "Type": "AWS::S3::Bucket",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "BucketName": environment.bucket,
            "VersioningConfiguration": {"Status": "Enabled"},
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {
                        "ServerSideEncryptionByDefault": item["ApplyServerSideEncryptionByDefault"],
                        "BucketKeyEnabled": item["BucketKeyEnabled"],
                    }
                    for item in rules
                ]
            },
            "PublicAccessBlockConfiguration": storage.CLOSED,
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": rule["ID"],
                        "Status": rule["Status"],
                        "NoncurrentVersionExpiration": rule["NoncurrentVersionExpiration"],
                        "AbortIncompleteMultipartUpload": rule["AbortIncompleteMultipartUpload"],
                    }
                ]
            },
            **_tags(environment),
        },
    }
    attached = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": policy("bucket", environment, use_cases)},
    }
    return {"Bucket": bucket, "BucketPolicy": attached}


def _roles(environment: Environment, use_cases: list[UseCase]) -> dict[str, Any]:
    found = {}
    for name, trust, permissions in access.roles(environment):
        found[LOGICAL[permissions]] = {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": name,
                "AssumeRolePolicyDocument": policy(trust, environment, use_cases),
                "Policies": [
                    {
                        "PolicyName": access.POLICY_NAME,
                        "PolicyDocument": policy(permissions, environment, use_cases),
                    }
                ],
                **_tags(environment),
            },
        }
    return found


def _alerts(environment: Environment) -> dict[str, Any]:
    topic = names.topic_arn(environment.name, environment.region, environment.account)
    return {
        "AlertTopic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {
                "TopicName": names.alert_topic(environment.name),
                **({"KmsMasterKeyId": environment.kms_key} if environment.kms_key else {}),
                **_tags(environment),
            },
        },
        "AlertTopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {
                "Topics": [{"Ref": "AlertTopic"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "EventsAndAlarmsOfThisAccountWrite",
                            "Effect": "Allow",
                            "Principal": {"Service": ["events.amazonaws.com", "cloudwatch.amazonaws.com"]},
                            "Action": "sns:Publish",
                            "Resource": topic,
                            "Condition": {"StringEquals": {"aws:SourceAccount": environment.account}},
                        }
                    ],
                },
            },
        },
    }


def _watching(environment: Environment, use_cases: list[UseCase]) -> dict[str, Any]:
    """Return the log group, the rule and the alarms that watch beside Airflow: they work when Airflow does not."""
    function = names.lambda_function(environment.name)
    prefix = f"sagemaker-batch-{environment.name}"
    alarm = {
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [{"Ref": "AlertTopic"}],
    }
    return {
        "FunctionLogs": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": f"/aws/lambda/{function}",
                "RetentionInDays": LOG_DAYS,
                **_tags(environment),
            },
        },
        "FailedExecutions": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": f"{prefix}-failed-executions",
                "Description": "Executions that failed, told also when Airflow cannot.",
                "EventPattern": _failed(environment, use_cases),
                "State": "ENABLED",
                "Targets": [{"Id": "alerts", "Arn": {"Ref": "AlertTopic"}}],
            },
        },
        "ApprovedModels": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": f"{prefix}-approved-models",
                "Description": "Versions that were approved, for the watcher of Airflow's option registry_queue.",
                "EventPattern": _approved(environment, use_cases),
                "State": "ENABLED",
                "Targets": [{"Id": "watcher", "Arn": {"Fn::GetAtt": ["RegistryQueue", "Arn"]}}],
            },
        },
        "RegistryQueue": {
            "Type": "AWS::SQS::Queue",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "QueueName": names.registry_queue(environment.name),
                "MessageRetentionPeriod": QUEUE_SECONDS,
                "SqsManagedSseEnabled": True,
                **_tags(environment),
            },
        },
        "RegistryQueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "RegistryQueue"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "OnlyTheRuleWrites",
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": {"Fn::GetAtt": ["RegistryQueue", "Arn"]},
                            "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["ApprovedModels", "Arn"]}}},
                        }
                    ],
                },
            },
        },
        "FunctionErrors": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": f"{prefix}-function-errors",
                "AlarmDescription": "The Lambda step cannot tell which model is approved.",
                "Namespace": "AWS/Lambda",
                "MetricName": "Errors",
                "Dimensions": [{"Name": "FunctionName", "Value": function}],
                **alarm,
            },
        },
        "UndeliveredAlerts": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": f"{prefix}-undelivered-alerts",
                "AlarmDescription": "SNS could not deliver an alert to a subscriber.",
                "Namespace": "AWS/SNS",
                "MetricName": "NumberOfNotificationsFailed",
                "Dimensions": [{"Name": "TopicName", "Value": names.alert_topic(environment.name)}],
                **alarm,
            },
        },
    }


def _failed(environment: Environment, use_cases: list[UseCase]) -> dict[str, Any]:
    """Return the pattern of our failed executions: by each pipeline's ARN, or by the ends of their names.

    The ends are what fits when there are more use cases than EventBridge's limit has room for.
    """

    def pattern(pipelines: list[Any]) -> dict[str, Any]:
        return {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Building Pipeline Execution Status Change"],
            "detail": {"currentPipelineExecutionStatus": ["Failed"], "pipelineArn": pipelines},
        }

    at = f"arn:aws:sagemaker:{environment.region}:{environment.account}:pipeline"
    every = [name for use_case in use_cases for name in pipeline_names(use_case.name, environment.name)]
    named = pattern([f"{at}/{name}" for name in every])
    if size(named) <= PATTERN_LIMIT:
        return named
    return pattern([{"suffix": name.removeprefix("*")} for name in pipeline_names("*", environment.name)])


def _approved(environment: Environment, use_cases: list[UseCase]) -> dict[str, Any]:
    """Return the pattern of approvals in our groups: by each group's name, or where that is too long by their end.

    The watcher deletes what is of another group.
    """

    def pattern(groups: list[Any]) -> dict[str, Any]:
        return {
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Package State Change"],
            "detail": {"ModelApprovalStatus": ["Approved"], "ModelPackageGroupName": groups},
        }

    named = pattern([names.model_package_group(use_case.name, environment.name) for use_case in use_cases])
    if size(named) <= PATTERN_LIMIT:
        return named
    return pattern([{"suffix": names.model_package_group("*", environment.name).removeprefix("*")}])


def _tags(environment: Environment) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in sorted(environment.tags.items())]
    return {"Tags": tags} if tags else {}


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.infrastructure.template", description=__doc__)
    command.add_environment(parser)
    command.add_use_cases(parser)
    parser.add_argument("--out", type=Path, help="file (default: dist/cloudformation/<environment>.json)")
    given = parser.parse_args(arguments)

    def work() -> int:
        environment = command.environment(given)
        out = given.out or command.ROOT / "dist" / "cloudformation" / f"{environment.name}.json"
        document = template(environment, command.use_cases(given))
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        print(out)
        return 0

    return command.run(work)


if __name__ == "__main__":
    sys.exit(main())
