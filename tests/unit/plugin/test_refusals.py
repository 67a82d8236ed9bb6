"""What AWS's refusals mean, and what a retry makes of them."""

import importlib.util
import pathlib

import pytest
from airflow.sdk import RetryAction

from sagemaker_batch.refusals import AwsRetryPolicy, Refusal, refusal

_spec = importlib.util.spec_from_file_location("plugin_fakes", pathlib.Path(__file__).with_name("fakes.py"))
fakes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fakes)


@pytest.mark.parametrize(
    ("error", "kind", "action"),
    [
        (fakes.refusal("ValidationException"), Refusal.HOPELESS, RetryAction.FAIL),
        (fakes.refusal("AccessDeniedException"), Refusal.HOPELESS, RetryAction.FAIL),
        (fakes.refusal("ResourceNotFound"), Refusal.GONE, RetryAction.FAIL),
        (fakes.refusal("ResourceLimitExceeded"), Refusal.QUOTA, RetryAction.RETRY),
        (fakes.refusal("ThrottlingException"), Refusal.THROTTLED, RetryAction.RETRY),
        (fakes.refusal("SomethingNew", http=429), Refusal.THROTTLED, RetryAction.RETRY),
        (fakes.refusal("SomethingNew", http=503), Refusal.PASSING, RetryAction.RETRY),
        (fakes.no_connection(), Refusal.PASSING, RetryAction.RETRY),
        (fakes.refusal("SomethingNew"), Refusal.UNKNOWN, RetryAction.DEFAULT),
        (ValueError("a bug of ours"), Refusal.UNKNOWN, RetryAction.DEFAULT),
    ],
)
def test_an_error_is_retried_by_what_it_means(error, kind, action):
    """A bad request fails at once, a bad moment is waited out, and of the rest the task decides."""
    assert refusal(error) is kind
    assert AwsRetryPolicy().evaluate(error, 1, 3).action is action


def test_the_pauses_between_retries_grow():
    """A storm is not fed by its victims."""
    delays = [
        AwsRetryPolicy().evaluate(fakes.no_connection(), number, 9).retry_delay.total_seconds() for number in (1, 4)
    ]
    assert 15 <= delays[0] <= 60
    assert 150 <= delays[1] <= 300
