"""What became of each batch day, the table that shows it, and what is expected of the generated days. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from local.alertbox import Alert

TOP_FEATURES = 3


@dataclass(frozen=True)
class DayOutcome:
    """One day as S3, the registry and the inbox tell it.

    `rows_given` are the records of the file that was put there; `rows_in` and `rows_out` are the manifest's;
    `rows_counted` are the records that the published predictions really hold.
    """

    day: date
    by_hand: bool
    run_state: str
    model_version: int | None = None
    rows_given: int = 0
    rows_in: int | None = None
    rows_out: int | None = None
    rows_counted: int | None = None
    verdict: str = ""
    top: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    manifest_uri: str = ""
    alerts: tuple[Alert, ...] = field(default_factory=tuple)

    @property
    def published(self) -> bool:
        """Tell whether consumers see the day."""
        return bool(self.manifest_uri)

    @property
    def alerted(self) -> str:
        """Say where the alert on this day arrived."""
        ways = {"digest" if alert.is_digest else "single" for alert in self.alerts}
        return " + ".join(sorted(ways)) or "-"


@dataclass(frozen=True)
class Expectation:
    """What a generated kind of day must end as."""

    verdict: str
    published: bool
    alerted: bool


EXPECTED = {
    "clean": Expectation("clean", published=True, alerted=False),
    "drifted": Expectation("held", published=False, alerted=True),
    "nulls": Expectation("warned", published=True, alerted=True),
    "missing-column": Expectation("held", published=False, alerted=True),
}


def read_record(record: dict[str, Any]) -> tuple[str, int | None, tuple[str, ...], tuple[str, ...]]:
    """Return verdict, model version, top violations and reasons of a verdict record (docs/contracts)."""
    return (
        str(record["verdict"]),
        int(record["model"]["version"]) if record.get("model") else None,
        tuple(_violation(item) for item in record.get("top_features", ())[:TOP_FEATURES]),
        tuple(str(reason) for reason in record.get("reasons", ())),
    )


def failures(outcomes: Sequence[DayOutcome], kinds: dict[date, str]) -> list[str]:
    """Name everything that is not as it must be; `kinds` tells what was generated, empty for a person's own days.

    Own days are held to what must be true of every day: a verdict or an alert, rows that agree, an alert for whatever
    is not clean, one digest for the backfill and none for the day run by hand.
    """
    found = []
    for outcome in outcomes:
        kind = kinds.get(outcome.day)
        found += _every_day(outcome)
        if kind:
            found += _as_generated(outcome, kind, EXPECTED[kind])
    digests = {alert.id for outcome in outcomes for alert in outcome.alerts if alert.is_digest}
    if len(digests) > 1:
        found.append(f"the backfill ended in {len(digests)} digests instead of one")
    return found


def _every_day(outcome: DayOutcome) -> list[str]:
    name, found = outcome.day.isoformat(), []
    if not outcome.verdict and not outcome.alerts:
        found.append(f"{name}: neither a verdict nor an alert (its run is {outcome.run_state})")
    if outcome.published and len({outcome.rows_in, outcome.rows_out, outcome.rows_counted, outcome.rows_given}) != 1:
        found.append(
            f"{name}: rows disagree: {outcome.rows_given} in the file, manifest says {outcome.rows_in} in and "
            f"{outcome.rows_out} out, the predictions hold {outcome.rows_counted}"
        )
    if outcome.verdict in {"clean", "warned"} and not outcome.published:
        found.append(f"{name}: {outcome.verdict}, and nothing was published (its run is {outcome.run_state})")
    if outcome.verdict not in {"", "clean"} and not outcome.alerts:
        found.append(f"{name}: {outcome.verdict}, and no alert arrived in the inbox")
    if outcome.by_hand and any(alert.is_digest for alert in outcome.alerts):
        found.append(f"{name}: was run by hand, and its alert came in a digest")
    if not outcome.by_hand and any(not alert.is_digest for alert in outcome.alerts):
        found.append(f"{name}: was backfilled, and it paged somebody by itself")
    return found


def _as_generated(outcome: DayOutcome, kind: str, expected: Expectation) -> list[str]:
    name, found = f"{outcome.day.isoformat()} ({kind})", []
    if outcome.verdict != expected.verdict:
        found.append(f"{name}: expected the verdict {expected.verdict}, got {outcome.verdict or 'none'}")
    if outcome.published != expected.published:
        found.append(f"{name}: was {'published' if outcome.published else 'not published'}")
    if expected.alerted and not outcome.alerts:
        found.append(f"{name}: no alert arrived in the inbox")
    pages = [alert for alert in outcome.alerts if not alert.is_digest]
    if not expected.alerted and pages:
        found.append(f"{name}: an alert arrived without need")
    return found


def table(outcomes: Sequence[DayOutcome]) -> str:
    """Return one row per day, in plain columns."""
    heads = ("batch day", "run", "model", "rows in", "rows out", "verdict", "top violations", "alert", "manifest")
    rows = [
        (
            outcome.day.isoformat(),
            "by hand" if outcome.by_hand else "backfill",
            f"v{outcome.model_version}" if outcome.model_version else "-",
            str(outcome.rows_in if outcome.rows_in is not None else outcome.rows_given),
            str(outcome.rows_out if outcome.rows_out is not None else "-"),
            outcome.verdict or outcome.run_state,
            "; ".join(outcome.top) or "-",
            outcome.alerted,
            outcome.manifest_uri or "not published",
        )
        for outcome in outcomes
    ]
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (heads, *rows)
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _violation(item: dict[str, Any]) -> str:
    checks = item.get("checks") or [item.get("check", "")]
    return f"{item['feature']} ({', '.join(str(check).removesuffix('_check') for check in checks)})"
