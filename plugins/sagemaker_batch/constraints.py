"""Constraints that people have tuned: what a baseline suggests, with a use case's overrides laid over it.

The merged file is a constraints.json like any other, so that both engines read it. It lies below the model's own at a
key that its content names: every change is a version of its own, and what a manifest names never changes.
"""

import copy
import difflib
import hashlib
from dataclasses import dataclass
from typing import Any

from sagemaker_batch import records
from sagemaker_batch.errors import ConstraintsError
from sagemaker_batch.names import s3_uri, split_s3_uri
from sagemaker_batch.use_case import FeatureOverrides, MonitorOverrides

# Keys that constraints.json keeps one level deeper.
DISTRIBUTION = {
    "perform_comparison",
    "comparison_threshold",
    "comparison_method",
    "categorical_comparison_threshold",
    "categorical_drift_method",
}
OVERRIDES = "monitoringConfigOverrides"
TEXT = "String"
FOLDER, FILE = "overridden", "constraints.json"
SHOWN = 12


@dataclass(frozen=True)
class Change:
    """One setting that differs: `feature` is empty for all, `suggested` None where the baseline says nothing."""

    feature: str
    key: str
    suggested: Any
    overridden: Any

    def alone(self) -> MonitorOverrides:
        """Return overrides that have this change and no other."""
        if not self.feature:
            return MonitorOverrides.model_validate({self.key: self.overridden})
        return MonitorOverrides.model_validate({"features": {self.feature: {self.key: self.overridden}}})


def merge(suggested: Any, overrides: MonitorOverrides, where: str) -> dict[str, Any]:
    """Return the constraints with the overrides; `where` names the suggested file in errors.

    Raises:
        ConstraintsError: an override names a feature that the baseline does not have, or sets what its type cannot
            have; all of them in one text.
    """
    merged: dict[str, Any] = copy.deepcopy(suggested)
    known = {item["name"]: item for item in merged.get("features", [])}
    _check(overrides, known, where)
    _configure(merged.setdefault("monitoring_config", {}), overrides.given())
    for name, limits in overrides.features.items():
        feature, given = known[name], limits.given()
        if "completeness" in given:
            feature["completeness"] = given["completeness"]
        domains = _domains(feature, limits)
        if domains is not None:
            feature.setdefault("string_constraints", {})["domains"] = domains
        settings = {key: value for key, value in given.items() if key not in {"completeness", *_OF_DOMAINS}}
        if settings:
            _configure(feature.setdefault(OVERRIDES, {}), settings)
    return merged


def changes(suggested: Any, overrides: MonitorOverrides) -> list[Change]:
    """Return what the overrides change, those of all features first; what they only repeat is left out."""
    known = {item["name"]: item for item in suggested.get("features", [])}
    everywhere = suggested.get("monitoring_config", {})
    given = overrides.model_dump(exclude_none=True, exclude={"features"})
    found = [Change("", key, _setting(everywhere, key), value) for key, value in given.items()]
    for name, limits in sorted(overrides.features.items()):
        feature = known.get(name, {})
        for key, value in limits.given().items():
            if key == "completeness":
                before = feature.get("completeness")
            elif key in _OF_DOMAINS:
                before = feature.get("string_constraints", {}).get("domains")
            else:
                before = _setting(feature.get(OVERRIDES, {}), key)
                before = _setting(everywhere, key) if before is None else before
            found.append(Change(name, key, before, value))
    return [item for item in found if item.suggested != item.overridden]


def version_of(merged: Any) -> str:
    """Return the version of merged constraints: the first 12 hexadecimal digits of their SHA-256."""
    return hashlib.sha256(records.dumps(merged)).hexdigest()[:12]


def settle(s3: Any, suggested_uri: str, overrides: MonitorOverrides) -> str:
    """Return the URI of the constraints that hold: the model's own, or the merged ones, written beside them.

    Raises:
        ConstraintsError: the model's own are gone, or an override does not fit them.
    """
    if overrides == MonitorOverrides():
        return suggested_uri
    bucket, key = split_s3_uri(suggested_uri)
    stored = records.read(s3, bucket, key)
    if stored is None:
        raise ConstraintsError(
            f"The model's constraints {suggested_uri} are gone, so monitor.overrides cannot be laid over them. Restore "
            "the object, or train and approve a new version."
        )
    merged = merge(stored.content, overrides, suggested_uri)
    place = f"{key.rpartition('/')[0]}/{FOLDER}/{version_of(merged)}/{FILE}"
    # Written once: whoever comes later finds the same bytes.
    records.create(s3, bucket, place, merged)
    return s3_uri(bucket, place)


_OF_DOMAINS = ("domains", "domains_added")


def _check(overrides: MonitorOverrides, known: dict[str, Any], where: str) -> None:
    problems = []
    for name, limits in overrides.features.items():
        key = f"monitor.overrides.features.{name}"
        if name not in known:
            problems.append(f"{key}: the baseline has no such feature. {_meant(name, list(known))}")
        elif (limits.domains or limits.domains_added) and known[name].get("inferred_type") != TEXT:
            problems.append(
                f"{key}: domains are for categories, and this feature is {known[name].get('inferred_type')}. If its "
                "numbers are names, list it in data.categorical and train anew."
            )
    if problems:
        raise ConstraintsError(
            f"The use case's overrides do not fit the constraints of the model ({where}):\n  "
            + "\n  ".join(problems)
            + "\nCorrect the use case's file; `make constraints USE_CASE=...` shows what it does, without a run."
        )


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    more = f" and {len(known) - SHOWN} others" if len(known) > SHOWN else ""
    return f"It has {', '.join(known[:SHOWN])}{more}."


def _domains(feature: dict[str, Any], limits: FeatureOverrides) -> list[str] | None:
    if limits.domains_added:
        return sorted({*feature.get("string_constraints", {}).get("domains", []), *limits.domains_added})
    return limits.domains


def _configure(document: dict[str, Any], given: dict[str, Any]) -> None:
    for key, value in given.items():
        if key in DISTRIBUTION:
            document.setdefault("distribution_constraints", {})[key] = value
        elif key != "features":
            document[key] = value


def _setting(document: dict[str, Any], key: str) -> Any:
    return (document.get("distribution_constraints", {}) if key in DISTRIBUTION else document).get(key)
