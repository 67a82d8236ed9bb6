"""Least privilege, by what was asked: this module runs after all others and looks at every request of theirs."""

from pathlib import Path

import pytest

from sagemaker_batch.use_case import UseCaseError, load_use_case
from tests.integration import asked
from tests.integration.conftest import ASKED, Laptop

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def use_cases(house: Laptop):
    """Return every use case that the houses had, the broken one aside."""
    found = []
    for path in sorted((house.house.state / "test-use-cases").glob("*.yaml")):
        try:
            found.append(load_use_case(path))
        except UseCaseError:
            assert path.stem == "broken"
    return found


@pytest.fixture(scope="module")
def seen(house: Laptop):
    ASKED.collect(house.house.aws.url)
    assert ASKED.left_out == 0
    return ASKED


@pytest.mark.parametrize("role", sorted(asked.CALLERS))
def test_a_role_may_do_all_that_it_asked_for(role, seen, use_cases):
    """Nothing is missing: each request of the run, on its resource, is allowed by the policy that goes to AWS."""
    assert asked.missing(role, seen.by(role), use_cases) == []
    assert seen.by(role), f"{role} asked for nothing"


@pytest.mark.parametrize("role", sorted(asked.CALLERS))
def test_a_role_may_do_nothing_that_nobody_asks_for(role, seen, use_cases, request):
    """Nothing is unused: each action of each statement was asked for, or UNSEEN says why it is not asked for here."""
    modules = {item.path.name for item in request.session.items}
    everything = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    if not everything <= modules or request.config.option.keyword or request.session.testsfailed:
        pytest.skip("judged over a whole run of tests/integration")
    assert asked.unused(role, seen.by(role), use_cases) == []
    assert asked.stale(role, seen.by(role), use_cases) == []
