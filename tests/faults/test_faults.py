"""The fault table as tests: `make test-all` plays it, `make faults` writes it down."""

import pytest

from tests.faults import house
from tests.faults.play import TABLE, Row, play
from tests.faults.registry import Fault

pytestmark = pytest.mark.timeout(5400)


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> dict[str, Row]:
    """Play the faults that were selected, in one house."""
    wanted = {item.callspec.params["fault"].id for item in request.session.items if "rows" in item.fixturenames}
    with house.opened() as laptop:
        played = play(laptop, [fault for fault in TABLE if fault.id in wanted], lambda _line: None)
    return {row.fault.id: row for row in played}


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.id)
def test_a_fault_ends_as_it_must(rows: dict[str, Row], fault: Fault) -> None:
    """Executions started, final state and what is published are those that the fault's function expects."""
    row = rows[fault.id]
    assert row.problem == ""
    assert row.measured is not None
