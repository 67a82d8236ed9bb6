"""What a run's machines cost, estimated: seconds of each step times its machines times the price of one. Pure.

Machines and prices are those of the deployment (`deployment.json`): what the definition asks for, and the table
`include/infrastructure/prices.yaml` as it was then. A step's time includes the start of its machines, which AWS does
not bill in full, and retries of the step, which it does: an estimate, and rather too high than too low.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class Cost:
    """Seconds of all machines together, and their price.

    `usd` is None when a machine has no price; `unpriced` names those.
    """

    instance_seconds: float
    usd: float | None
    unpriced: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as a verdict record carries it."""
        return asdict(self)


def of_run(steps: list[dict[str, Any]], deployed: dict[str, Any], pipeline: str) -> Cost | None:
    """Return what the steps of an execution cost; None when the deployment names no machines, or no step had one.

    Args:
        steps: of the outcome, with `name` and `seconds` (None for a step that has not ended).
        deployed: the content of deployment.json.
        pipeline: `train_baseline` or `batch_monitor`.
    """
    machines, prices = deployed.get("machines", {}).get(pipeline, {}), deployed.get("prices_usd_per_hour", {})
    total, usd, unpriced, found = 0.0, 0.0, set(), False
    for step in steps:
        machine = machines.get(step["name"])
        if machine is None or step.get("seconds") is None:
            continue
        found = True
        seconds = step["seconds"] * machine["count"]
        total += seconds
        if machine["type"] in prices:
            usd += seconds / HOUR_SECONDS * prices[machine["type"]]
        else:
            unpriced.add(machine["type"])
    if not found:
        return None
    return Cost(round(total, 1), None if unpriced else round(usd, 6), sorted(unpriced))


def words(cost: dict[str, Any]) -> str:
    """Return a cost in a person's words."""
    if cost["usd"] is None:
        return f"no price for {', '.join(cost['unpriced'])}: add it to prices.yaml, then make deploy ACTION=apply"
    return f"about {cost['usd']:.2f} USD" if cost["usd"] >= 0.01 else "less than 0.01 USD"
