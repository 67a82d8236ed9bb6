"""A hundred use cases fit into what IAM and EventBridge take; a few are named one by one."""

import json
import re

import pytest

from include.infrastructure.environment import load_environment
from include.infrastructure.policies import INLINE_LIMIT, MANAGED_LIMIT, all_policies, size
from include.infrastructure.template import PATTERN_LIMIT, template
from sagemaker_batch import names
from sagemaker_local.events.pattern import matches

MANY = 100


def cases(churn, count):
    return [churn.model_copy(update={"name": f"a_use_case_of_ours_{number}"}) for number in range(count)]


def covered(document, action, arn):
    """Tell whether a statement with the action has a resource that matches."""
    for statement in document["Statement"]:
        if action in statement["Action"]:
            listed = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            if any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), arn) for each in listed):
                return True
    return False


@pytest.mark.parametrize("count", [1, 12, MANY])
@pytest.mark.parametrize("name", ["local", "prod"])
def test_every_policy_fits_into_iams_limit(name, count, churn):
    """10,240 characters for a role's inline policies, 6,144 for a managed one: what is longer, IAM refuses."""
    for policy, document in all_policies(load_environment(name), cases(churn, count)).items():
        assert size(document) <= (MANAGED_LIMIT if policy == "deployer" else INLINE_LIMIT), policy


@pytest.mark.parametrize("count", [1, MANY])
def test_each_use_case_is_allowed_and_other_environments_are_not(count, churn):
    """Also where names no longer fit: ours of this environment, nothing of a neighbour's."""
    environment, use_cases = load_environment("prod"), cases(churn, count)
    at = f"arn:aws:sagemaker:{environment.region}:{environment.account}"
    airflow = all_policies(environment, use_cases)["airflow"]
    for use_case in use_cases:
        pipeline = names.batch_pipeline(use_case.name, "prod")
        assert covered(airflow, "sagemaker:StartPipelineExecution", f"{at}:pipeline/{pipeline}")
        assert covered(airflow, "sagemaker:StopPipelineExecution", f"{at}:pipeline/{pipeline}/execution/abc")
        package = f"{at}:model-package/{names.model_package_group(use_case.name, 'prod')}/1"
        assert covered(airflow, "sagemaker:UpdateModelPackage", package)
    for foreign in (names.batch_pipeline(use_cases[0].name, "dev"), "of-another-team"):
        assert not covered(airflow, "sagemaker:StartPipelineExecution", f"{at}:pipeline/{foreign}")


@pytest.mark.parametrize("count", [1, MANY])
def test_the_rule_of_failed_executions_fits_and_sees_each_pipeline(count, churn):
    """2,048 characters of EventBridge; the local AWS judges what matches."""
    environment, use_cases = load_environment("prod"), cases(churn, count)
    pattern = template(environment, use_cases)["Resources"]["FailedExecutions"]["Properties"]["EventPattern"]
    assert len(json.dumps(pattern)) <= PATTERN_LIMIT
    at = f"arn:aws:sagemaker:{environment.region}:{environment.account}:pipeline"

    def seen(pipeline, status="Failed"):
        detail = {"currentPipelineExecutionStatus": status, "pipelineArn": f"{at}/{pipeline}"}
        kind = "SageMaker Model Building Pipeline Execution Status Change"
        return matches(pattern, {"source": "aws.sagemaker", "detail-type": kind, "detail": detail})

    for use_case in use_cases:
        assert seen(names.train_pipeline(use_case.name, "prod"))
        assert seen(names.quality_pipeline(use_case.name, "prod"))
        assert not seen(names.train_pipeline(use_case.name, "prod"), "Succeeded")
        assert not seen(names.train_pipeline(use_case.name, "dev"))


@pytest.mark.parametrize("count", [1, MANY])
def test_the_rule_of_approvals_fits_and_sees_each_group(count, churn):
    """Approvals alone, and none of another environment."""
    environment, use_cases = load_environment("prod"), cases(churn, count)
    pattern = template(environment, use_cases)["Resources"]["ApprovedModels"]["Properties"]["EventPattern"]
    assert len(json.dumps(pattern)) <= PATTERN_LIMIT

    def seen(group, status="Approved"):
        detail = {"ModelApprovalStatus": status, "ModelPackageGroupName": group}
        kind = "SageMaker Model Package State Change"
        return matches(pattern, {"source": "aws.sagemaker", "detail-type": kind, "detail": detail})

    for use_case in use_cases:
        assert seen(names.model_package_group(use_case.name, "prod"))
        assert not seen(names.model_package_group(use_case.name, "prod"), "Rejected")
        assert not seen(names.model_package_group(use_case.name, "dev"))
