"""`make constraints USE_CASE=churn`: what the baseline suggests, what people changed, what each change would have done.

    python -m include.infrastructure.constraints churn --environment prod --days 30

Every change is laid over the constraints of the newest approved version by itself, and then all of them together; each
of the last judged days is checked again by both (`recheck`). Nothing is written.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from include.infrastructure import command
from include.infrastructure.recheck import Checked, PastDay, recheck
from include.infrastructure.site import DeploymentError, Site
from include.pipeline_scripts.monitor_analyzer.errors import AnalyzerError
from sagemaker_batch import constraints, day_index, history, names, records, registry
from sagemaker_batch.errors import ConstraintsError
from sagemaker_batch.use_case import UseCase, load_use_case
from sagemaker_batch.violations import WITHHELD

DAYS = 30
JUDGED = {"clean", "warned", "held"}
SHOWN_DAYS = 4
WIDTH = 34


@dataclass(frozen=True)
class Material:
    """What a comparison needs: the approved version, its two files, and the past days."""

    version: registry.ModelVersion
    suggested: Any
    baseline: Any
    days: list[PastDay]
    without: int


def gather(site: Site, use_case: UseCase, days: int) -> Material:
    """Read it.

    Raises:
        DeploymentError: an object that the version names is gone.
    """
    bucket = site.environment.bucket
    version = registry.latest_approved(site.sagemaker, names.model_package_group(use_case.name, site.environment.name))
    found = {}
    for uri in (version.constraints_uri, version.statistics_uri):
        stored = records.read(site.s3, *names.split_s3_uri(uri))
        if stored is None:
            raise DeploymentError(f"Version {version.version} names {uri}, and there is no such object. Train anew.")
        found[uri] = stored.content
    last = max((entry.day for entry in day_index.read_entries(site.s3, bucket, use_case.name)), default=None)
    past, without = [], 0
    for record in _judged(site, use_case, last, days) if last else []:
        place = record["reports"].get("statistics")
        stored = records.read(site.s3, *names.split_s3_uri(place)) if place else None
        if stored is None or record["verdict"] not in JUDGED:
            without += 1
            continue
        past.append(PastDay(record["batch_day"], stored.content, record["violations"]))
    return Material(version, found[version.constraints_uri], found[version.statistics_uri], past, without)


def _judged(site: Site, use_case: UseCase, last: date, days: int) -> list[dict[str, Any]]:
    return history.judged_days(site.s3, site.environment.bucket, use_case.name, last - timedelta(days=days - 1))


def account(use_case: UseCase, material: Material) -> list[str]:
    """Return the whole comparison as lines.

    Raises:
        ConstraintsError: the overrides do not fit the version's constraints.
        AnalyzerError: a file of a day is not what it should be.
    """
    suggested, overrides = material.suggested, use_case.monitor.overrides
    uri = material.version.constraints_uri
    merged = constraints.merge(suggested, overrides, uri)
    before = recheck(material.days, suggested, material.baseline)
    lines = [
        f"{use_case.name}: version {material.version.version}, constraints for {len(suggested['features'])} features",
        f"  suggested   {uri}",
    ]
    found = constraints.changes(suggested, overrides)
    if found:
        lines.append(f"  overridden  version {constraints.version_of(merged)}, {len(found)} change(s) by the use case")
    else:
        lines.append("  overridden  nothing: monitor.overrides of the use case changes no setting")
    lines += ["", *_span(material), ""]
    if found:
        lines += _changes(use_case, material, found, before)
    after = recheck(material.days, merged, material.baseline) if found else before
    lines += _flagged(before, after, changed=bool(found))
    lines += _verdicts(use_case, before, after, changed=bool(found))
    unknown = sorted({name for checked in after for name in checked.unknown})
    if unknown:
        lines.append(
            f"Not to be known from statistics, and left out: types or domains of {', '.join(unknown)} on some days."
        )
    if use_case.severity.report == "drift_report":
        lines.append("This use case is judged by drift_report.json: of the above only a broken schema decides.")
    return lines


def _span(material: Material) -> list[str]:
    if not material.days:
        return ["No day has been judged yet, so nothing can be said of what a change would have flagged."]
    more = f"; {material.without} more left no statistics" if material.without else ""
    first, last = material.days[0].day, material.days[-1].day
    return [f"Checked again: {len(material.days)} judged day(s) from {first} to {last}{more}."]


def _changes(
    use_case: UseCase, material: Material, found: Sequence[constraints.Change], before: list[Checked]
) -> list[str]:
    rows = [("feature", "setting", "suggested", "overridden", "days flagged", "which")]
    for change in found:
        alone = constraints.merge(material.suggested, change.alone(), material.version.constraints_uri)
        after = recheck(material.days, alone, material.baseline)
        hidden = change.feature in use_case.data.sensitive
        rows.append(
            (
                change.feature or "(all)",
                change.key,
                _shown(change.suggested, hidden=hidden),
                _shown(change.overridden, hidden=hidden),
                *_difference(change.feature, before, after),
            )
        )
    return ["Each change by itself:", *_table(rows), ""]


def _difference(feature: str, before: list[Checked], after: list[Checked]) -> tuple[str, str]:
    def of(checked: Checked) -> frozenset[tuple[str, str]]:
        return frozenset(pair for pair in checked.flagged if not feature or pair[0] == feature)

    pairs = list(zip(before, after, strict=True))
    fewer = [left.day for left, right in pairs if of(left) - of(right)]
    more = [left.day for left, right in pairs if of(right) - of(left)]
    counts = f"{sum(bool(of(left)) for left, _ in pairs)} -> {sum(bool(of(right)) for _, right in pairs)}"
    said = [f"{word}: {_days(days)}" for word, days in (("less on", fewer), ("more on", more)) if days]
    return counts, "; ".join(said) or "nothing changes"


def _days(days: list[str]) -> str:
    shown = ", ".join(days[:SHOWN_DAYS])
    return f"{shown} and {len(days) - SHOWN_DAYS} more" if len(days) > SHOWN_DAYS else shown


def _flagged(before: list[Checked], after: list[Checked], *, changed: bool) -> list[str]:
    left, right = _counts(before), _counts(after)
    if not left and not right:
        return []
    rows: list[tuple[str, ...]] = [("feature", "check", "suggested", *(["overridden"] if changed else []))]
    rows += [
        (*pair, f"{left[pair]} day(s)", *([f"{right[pair]} day(s)"] if changed else []))
        for pair in sorted(left.keys() | right.keys())
    ]
    return ["Flagged by feature:", *_table(rows), ""]


def _counts(checked: list[Checked]) -> Counter[tuple[str, str]]:
    return Counter(pair for day in checked for pair in day.flagged)


def _verdicts(use_case: UseCase, before: list[Checked], after: list[Checked], *, changed: bool) -> list[str]:
    if not before:
        return []
    sides = [[day.verdict(use_case) for day in side] for side in (before, after)]
    rows: list[tuple[str, ...]] = [("verdict", "suggested", *(["overridden"] if changed else []))]
    shown = sides if changed else sides[:1]
    rows += [(word, *(f"{side.count(word)} day(s)" for side in shown)) for word in ("clean", "warned", "held")]
    lines = [f"Days by verdict (held from {use_case.severity.critical_share:.0%} of the features):", *_table(rows)]
    other = [day.day for day, one, two in zip(before, *sides, strict=True) if one != two]
    return [*lines, *([f"  other verdict on {_days(other)}"] if other else []), ""]


def _shown(value: Any, *, hidden: bool) -> str:
    if hidden and isinstance(value, list):
        return WITHHELD
    if value is None:
        return "(nothing)"
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, list):
        return str(value)
    text = ", ".join(value)
    return text if len(text) <= WIDTH else f"{len(value)} values"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make constraints", description="Suggested and overridden constraints.")
    parser.add_argument("use_case", help="name of a use case, such as churn")
    parser.add_argument("--days", type=int, default=DAYS, help="how many days back from the newest judged one")
    command.add_environment(parser)
    command.add_use_cases(parser)
    given = parser.parse_args(arguments)

    def work() -> int:
        use_case = load_use_case(given.use_cases / f"{given.use_case}.yaml")
        with Site(command.environment(given), [use_case], act=False) as site:
            print("\n".join(account(use_case, gather(site, use_case, given.days))))
        return 0

    return command.run(work, ConstraintsError, AnalyzerError, registry.RegistryError)


if __name__ == "__main__":
    sys.exit(main())
