"""Deployment: every resource of an environment, in the order in which they need each other.

Each step finds its resource by name, compares, and changes it only where it differs, so that a second run changes
nothing and an interrupted one is simply repeated. With `act=False` nothing is changed, only said.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

import boto3
from botocore.exceptions import ClientError

from include.infrastructure.code import code_files
from include.infrastructure.compiled import Compiled
from include.infrastructure.environment import Environment
from include.infrastructure.function import code_sha256, function_zip
from include.infrastructure.policies import policy
from include.pipelines.settings import canonical
from sagemaker_batch import names
from sagemaker_batch.use_case import UseCase

Outcome = Literal["created", "updated", "unchanged"]
POLICY_NAME = "sagemaker-batch"
FUNCTION_SETTINGS = {"Runtime": "python3.12", "Handler": "handler.handler", "Timeout": 60, "MemorySize": 256}
# A new role is known everywhere in IAM only after some seconds.
ROLE_DEADLINE = 60.0
ABSENT = {
    "404", "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "NotFound", "NotFoundException", "ResourceNotFound",
    "ResourceNotFoundException", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue",
}  # fmt: skip


class DeploymentError(Exception):
    """Something stands in the way of the deployment; the message says what and what to do."""


@dataclass(frozen=True)
class Change:
    """What happened, or would happen, to one resource."""

    outcome: Outcome
    kind: str
    name: str


class Deployment:
    """Deploys one environment; `changes` yields as it goes. Use it in a `with`: it holds connections."""

    def __init__(self, environment: Environment, compiled: list[Compiled], *, act: bool) -> None:
        self.environment = environment
        self.compiled = compiled
        self.use_cases: list[UseCase] = [item.use_case for item in compiled]
        self.act = act
        # Any: the stubs want literals where our names and settings are plain texts.
        session: Any = boto3.Session(region_name=environment.region)
        self.s3, self.iam, self.functions = session.client("s3"), session.client("iam"), session.client("lambda")
        self.sns, self.sqs = session.client("sns"), session.client("sqs")
        self.sagemaker, self.sts = session.client("sagemaker"), session.client("sts")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (self.s3, self.iam, self.functions, self.sns, self.sqs, self.sagemaker, self.sts):
            client.close()

    def changes(self) -> Iterator[Change]:
        """Yield a change for each resource, after it was made.

        Raises:
            DeploymentError: the credentials belong to another account.
        """
        self.check_account()
        environment = self.environment
        yield Change(self.bucket(), "bucket", environment.bucket)
        for digest, item in sorted({item.code_digest: item for item in self.compiled}.items()):
            yield Change(self.code(item), "code", names.code_prefix(digest))
        for role, trust, permissions in (
            (names.execution_role(environment.name), "trust-sagemaker", "execution"),
            (names.lambda_role(environment.name), "trust-lambda", "lambda"),
            (names.airflow_role(environment.name), "trust-airflow", "airflow"),
        ):
            yield Change(self.role(role, trust, permissions), "role", role)
        yield Change(self.function(), "function", names.lambda_function(environment.name))
        yield Change(self.topic(), "topic", names.alert_topic(environment.name))
        if environment.inbox:
            yield Change(self.inbox(), "inbox", names.alert_inbox(environment.name))
            yield Change(self.subscription(), "subscription", names.alert_inbox(environment.name))
        for item in self.compiled:
            yield from self.use_case(item)

    def use_case(self, item: Compiled) -> Iterator[Change]:
        """Yield the changes of one use case's own resources."""
        name, environment = item.use_case.name, self.environment.name
        group = names.model_package_group(name, environment)
        yield Change(self.group(group, item.use_case), "model package group", group)
        train, batch = names.train_pipeline(name, environment), names.batch_pipeline(name, environment)
        yield Change(self.pipeline(train, item.train_baseline), "pipeline", train)
        yield Change(self.pipeline(batch, item.batch_monitor), "pipeline", batch)
        key = names.deployment_key(name)
        yield Change(self.record(key, item), "record", key)

    def check_account(self) -> None:
        """Refuse to deploy to another account than the environment's.

        Raises:
            DeploymentError: the accounts differ.
        """
        account = self.sts.get_caller_identity()["Account"]
        if account != self.environment.account:
            raise DeploymentError(
                f"The credentials belong to account {account}, but environment {self.environment.name!r} is account "
                f"{self.environment.account}. For the laptop set AWS_ENDPOINT_URL (start it with `make up`); "
                "otherwise use that account's credentials."
            )

    def bucket(self) -> Outcome:
        """Make the bucket, versioned: input is pinned by version."""
        name = self.environment.bucket
        outcome: Outcome = "unchanged"
        if self._find(lambda: self.s3.head_bucket(Bucket=name)) is None:
            if not self.act:
                return "created"
            # The one region that must not be named.
            elsewhere = self.environment.region != "us-east-1"
            place = {"CreateBucketConfiguration": {"LocationConstraint": self.environment.region}} if elsewhere else {}
            self.s3.create_bucket(Bucket=name, **place)
            outcome = "created"
        if self.s3.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
            if self.act:
                self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            outcome = "created" if outcome == "created" else "updated"
        return outcome

    def code(self, item: Compiled) -> Outcome:
        """Upload the scripts under their digest; what is there is never changed."""
        prefix, files = names.code_prefix(item.code_digest), code_files(item.engine, item.use_case.name)
        found = self._keys(prefix)
        missing = [name for name in files if prefix + name not in found]
        if self.act:
            for name in missing:
                self.s3.put_object(Bucket=self.environment.bucket, Key=prefix + name, Body=files[name])
        if not missing:
            return "unchanged"
        return "created" if len(missing) == len(files) else "updated"

    def role(self, name: str, trust: str, permissions: str) -> Outcome:
        """Make a role with one inline policy."""
        trusted = policy(trust, self.environment, self.use_cases)
        allowed = policy(permissions, self.environment, self.use_cases)
        found = self._find(lambda: self.iam.get_role(RoleName=name))
        if found is None:
            if self.act:
                self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusted))
                self._allow(name, allowed)
            return "created"
        outcome: Outcome = "unchanged"
        if _document(found["Role"]["AssumeRolePolicyDocument"]) != trusted:
            outcome = "updated"
            if self.act:
                self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trusted))
        present = self._find(lambda: self.iam.get_role_policy(RoleName=name, PolicyName=POLICY_NAME))
        if present is None or _document(present["PolicyDocument"]) != allowed:
            outcome = "updated"
            if self.act:
                self._allow(name, allowed)
        return outcome

    def function(self) -> Outcome:
        """Make the function of the batch pipeline's Lambda step."""
        name, content = names.lambda_function(self.environment.name), function_zip()
        wanted = {
            **FUNCTION_SETTINGS,
            "Role": names.role_arn(names.lambda_role(self.environment.name), self.environment.account),
        }
        found = self._find(lambda: self.functions.get_function(FunctionName=name))
        if found is None:
            if self.act:
                self._create_function(FunctionName=name, Code={"ZipFile": content}, Publish=False, **wanted)
            return "created"
        outcome: Outcome = "unchanged"
        if found["Configuration"]["CodeSha256"] != code_sha256(content):
            outcome = "updated"
            if self.act:
                self.functions.update_function_code(FunctionName=name, ZipFile=content)
                self.functions.get_waiter("function_updated_v2").wait(FunctionName=name)
        if any(found["Configuration"].get(key) != value for key, value in wanted.items()):
            outcome = "updated"
            if self.act:
                self.functions.update_function_configuration(FunctionName=name, **wanted)
                self.functions.get_waiter("function_updated_v2").wait(FunctionName=name)
        return outcome

    def topic(self) -> Outcome:
        """Make the topic that alerts go to."""
        environment = self.environment
        arn = names.topic_arn(environment.name, environment.region, environment.account)
        if self._find(lambda: self.sns.get_topic_attributes(TopicArn=arn)) is not None:
            return "unchanged"
        if self.act:
            self.sns.create_topic(Name=names.alert_topic(environment.name))
        return "created"

    def inbox(self) -> Outcome:
        """Make the queue that keeps every alert; only the topic may write to it."""
        name = names.alert_inbox(self.environment.name)
        allowed = policy("inbox", self.environment, self.use_cases)
        found = self._find(lambda: self.sqs.get_queue_url(QueueName=name))
        attributes = {"Policy": json.dumps(allowed), "MessageRetentionPeriod": "1209600"}
        if found is None:
            if self.act:
                self.sqs.create_queue(QueueName=name, Attributes=attributes)
            return "created"
        url = found["QueueUrl"]
        present = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        if _document(present.get("Policy", "{}")) == allowed:
            return "unchanged"
        if self.act:
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        return "updated"

    def subscription(self) -> Outcome:
        """Subscribe the inbox to the topic."""
        environment = self.environment
        topic = names.topic_arn(environment.name, environment.region, environment.account)
        queue = f"arn:aws:sqs:{environment.region}:{environment.account}:{names.alert_inbox(environment.name)}"

        def subscriptions() -> list[str]:
            pages = self.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
            return [item["Endpoint"] for page in pages for item in page["Subscriptions"]]

        if queue in (self._find(subscriptions) or []):
            return "unchanged"
        if self.act:
            self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        return "created"

    def group(self, name: str, use_case: UseCase) -> Outcome:
        """Make the model package group."""
        if self._find(lambda: self.sagemaker.describe_model_package_group(ModelPackageGroupName=name)) is not None:
            return "unchanged"
        if self.act:
            description = use_case.description or f"Models of the use case {use_case.name}"
            self.sagemaker.create_model_package_group(
                ModelPackageGroupName=name, ModelPackageGroupDescription=description
            )
        return "created"

    def pipeline(self, name: str, definition: str) -> Outcome:
        """Make or update a pipeline from its compiled definition."""
        role = names.role_arn(names.execution_role(self.environment.name), self.environment.account)
        found = self._find(lambda: self.sagemaker.describe_pipeline(PipelineName=name))
        if found is None:
            if self.act:
                self.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=role)
            return "created"
        if canonical(json.loads(found["PipelineDefinition"])) == definition and found["RoleArn"] == role:
            return "unchanged"
        if self.act:
            self.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=role)
        return "updated"

    def record(self, key: str, item: Compiled) -> Outcome:
        """Write what was deployed, for the views that cannot read the DAGs' folder."""
        body = canonical(deployment_record(self.environment, item)).encode()
        found = self._find(lambda: self.s3.get_object(Bucket=self.environment.bucket, Key=key))
        if found is not None and found["Body"].read() == body:
            return "unchanged"
        if self.act:
            self.s3.put_object(Bucket=self.environment.bucket, Key=key, Body=body, ContentType="application/json")
        return "created" if found is None else "updated"

    def _allow(self, role: str, document: dict[str, Any]) -> None:
        self.iam.put_role_policy(RoleName=role, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(document))

    def _create_function(self, **arguments: Any) -> None:
        deadline = time.monotonic() + ROLE_DEADLINE
        while True:
            try:
                self.functions.create_function(**arguments)
                break
            except ClientError as error:
                unknown_role = "role" in error.response["Error"].get("Message", "") and _code(error).startswith(
                    "Invalid"
                )
                if not unknown_role or time.monotonic() > deadline:
                    raise
                time.sleep(2)
        self.functions.get_waiter("function_active_v2").wait(FunctionName=arguments["FunctionName"])

    def _keys(self, prefix: str) -> set[str]:
        def keys() -> set[str]:
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.environment.bucket, Prefix=prefix)
            return {item["Key"] for page in pages for item in page.get("Contents", [])}

        return self._find(keys) or set()

    @staticmethod
    def _find(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ClientError as error:
            gone = _code(error) in ABSENT
            # Model package groups have no error of their own for it.
            if gone or (_code(error) == "ValidationException" and "does not exist" in str(error)):
                return None
            raise


def deployment_record(environment: Environment, item: Compiled) -> dict[str, Any]:
    """Return the content of `<use_case>/deployment.json`; nothing in it depends on the moment."""
    name = item.use_case.name
    return {
        "version": 1,
        "environment": environment.name,
        "region": environment.region,
        "account": environment.account,
        "bucket": environment.bucket,
        "use_case": item.use_case.model_dump(mode="json"),
        "engine": item.engine,
        "code_digest": item.code_digest,
        "model_package_group": names.model_package_group(name, environment.name),
        "pipelines": {
            "train_baseline": {
                "name": names.train_pipeline(name, environment.name),
                "definition_sha256": _sha256(item.train_baseline),
            },
            "batch_monitor": {
                "name": names.batch_pipeline(name, environment.name),
                "definition_sha256": _sha256(item.batch_monitor),
            },
        },
        "function": {"name": names.lambda_function(environment.name), "code_sha256": code_sha256(function_zip())},
        "topic_arn": names.topic_arn(environment.name, environment.region, environment.account),
    }


def _sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _document(policy_document: Any) -> Any:
    # boto3 decodes IAM's policies; some endpoints answer with text.
    return json.loads(policy_document) if isinstance(policy_document, str) else policy_document
