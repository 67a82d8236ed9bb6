"""constraints.json: suggested from a profile, and read back with a user's edits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .documents import is_number
from .errors import AnalyzerError
from .inference import FRACTIONAL, INTEGRAL, STRING, UNKNOWN
from .profile import ColumnProfile, Profile
from .statistics import VERSION, has_categories

# Deequ's rule for suggesting a domain: at most a tenth of the values may occur only once.
RARE_SHARE = 0.1
METHODS = ("Robust", "Simple")
CATEGORICAL_METHODS = ("LInfinity", "ChiSquared")
SWITCH = ("Enabled", "Disabled")


@dataclass
class MonitoringConfig:
    """Thresholds and switches, global or after a feature's `monitoringConfigOverrides`."""

    evaluate_constraints: str = "Enabled"
    emit_metrics: str = "Enabled"
    datatype_check_threshold: float = 1.0
    domain_content_threshold: float = 1.0
    perform_comparison: str = "Enabled"
    comparison_threshold: float = 0.1
    comparison_method: str = "Robust"
    categorical_comparison_threshold: float = 0.1
    categorical_drift_method: str = "LInfinity"


@dataclass
class FeatureConstraint:
    """What one feature must satisfy.

    Attributes:
        domains: the allowed values of a category, None when not constrained.
        config: the thresholds that hold for this feature.
    """

    name: str
    inferred_type: str
    completeness: float | None
    domains: list[str] | None
    config: MonitoringConfig


@dataclass
class Constraints:
    """A constraints.json: per-feature constraints and the global configuration."""

    features: dict[str, FeatureConstraint] = field(default_factory=dict)
    config: MonitoringConfig = field(default_factory=MonitoringConfig)

    @property
    def watched(self) -> dict[str, list[str]]:
        """Return by feature the texts whose counts a check needs."""
        return {name: limit.domains for name, limit in self.features.items() if limit.domains}


def suggest_domains(column: ColumnProfile) -> list[str] | None:
    """Return the values to constrain a string column to, or None."""
    if column.inferred_type != STRING or not has_categories(column):
        return None
    rare = sum(1 for count in column.categories.values() if count == 1)
    return sorted(column.categories) if rare / len(column.categories) <= RARE_SHARE else None


def feature_document(column: ColumnProfile) -> dict[str, Any]:
    """Return one suggested feature of constraints.json."""
    document: dict[str, Any] = {
        "name": column.name,
        "inferred_type": column.inferred_type,
        "completeness": column.completeness,
    }
    if column.numeric:
        document["num_constraints"] = {"is_non_negative": column.numeric.minimum >= 0}
    domains = suggest_domains(column)
    if domains is not None:
        document["string_constraints"] = {"domains": domains}
    return document


def suggest(profile: Profile, categorical_drift_method: str | None = None) -> dict[str, Any]:
    """Return the suggested constraints.json; thresholds are those of real suggested files, not of AWS's docs."""
    return {
        "version": VERSION,
        "features": [feature_document(column) for column in profile.columns],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": 0.1,
                "comparison_method": "Robust",
                "categorical_comparison_threshold": 0.1,
                "categorical_drift_method": categorical_drift_method or "LInfinity",
            },
        },
    }


_CHOICES = {
    "evaluate_constraints": SWITCH,
    "emit_metrics": SWITCH,
    "perform_comparison": SWITCH,
    "comparison_method": METHODS,
    "categorical_drift_method": CATEGORICAL_METHODS,
}
_GLOBAL_KEYS = ("evaluate_constraints", "emit_metrics", "datatype_check_threshold", "domain_content_threshold")
_DISTRIBUTION_KEYS = (
    "perform_comparison",
    "comparison_threshold",
    "comparison_method",
    "categorical_comparison_threshold",
    "categorical_drift_method",
)


def _setting(key: str, value: Any, where: str, file: str) -> Any:
    if key in _CHOICES:
        # AWS's docs also spell the methods linf_robust and linf_simple.
        spelled = {"linf_robust": "Robust", "linf_simple": "Simple"}.get(value, value) if isinstance(value, str) else ""
        if spelled not in _CHOICES[key]:
            raise AnalyzerError(f"{where}.{key} must be one of {', '.join(_CHOICES[key])}.", file=file)
        return spelled
    if not is_number(value) or value < 0:
        raise AnalyzerError(f"{where}.{key} must be a number of at least 0, written without quotes.", file=file)
    return float(value)


def configure(base: MonitoringConfig, document: Any, where: str, file: str) -> MonitoringConfig:
    """Return `base` with the settings of a monitoring_config (or overrides) document; unknown keys are ignored.

    Raises:
        AnalyzerError: a setting has a value it cannot have.
    """
    if not isinstance(document, dict):
        raise AnalyzerError(f"{where} must be an object.", file=file)
    values = dict(vars(base))
    distribution = document.get("distribution_constraints", {})
    if not isinstance(distribution, dict):
        raise AnalyzerError(f"{where}.distribution_constraints must be an object.", file=file)
    for keys, section in ((_GLOBAL_KEYS, document), (_DISTRIBUTION_KEYS, distribution)):
        for key in keys:
            if section.get(key) is not None:
                values[key] = _setting(key, section[key], where, file)
    if "comparison_threshold" in distribution and "categorical_comparison_threshold" not in distribution:
        # Older files know one threshold for both.
        values["categorical_comparison_threshold"] = values["comparison_threshold"]
    return MonitoringConfig(**values)


def _feature(document: Any, config: MonitoringConfig, where: str, file: str) -> FeatureConstraint:
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        raise AnalyzerError(
            f"{where} needs a `name`.", file=file, hint="Compare with a file that a baseline run wrote."
        )
    name = document["name"]
    where = f"feature {name!r}"
    kind = document.get("inferred_type", UNKNOWN)
    if kind not in (INTEGRAL, FRACTIONAL, STRING, UNKNOWN):
        raise AnalyzerError(f"{where}: inferred_type must be Integral, Fractional, String or Unknown.", file=file)
    completeness = document.get("completeness")
    if completeness is not None and not is_number(completeness):
        raise AnalyzerError(f"{where}: completeness must be a number between 0 and 1.", file=file)
    strings = document.get("string_constraints") or {}
    domains = strings.get("domains") if isinstance(strings, dict) else None
    if domains is not None and not (isinstance(domains, list) and all(isinstance(value, str) for value in domains)):
        raise AnalyzerError(f"{where}: string_constraints.domains must be a list of texts.", file=file)
    # AWS's docs spell it one way, the SDK's Constraints.set_monitoring writes it the other way.
    overrides = document.get("monitoringConfigOverrides") or document.get("monitoring_config_overrides") or {}
    return FeatureConstraint(
        name, kind, completeness, domains, configure(config, overrides, f"{where}: monitoringConfigOverrides", file)
    )


def parse(content: Any, file: str, categorical_drift_method: str | None = None) -> Constraints:
    """Return the constraints of a parsed constraints.json, as its user left it.

    Args:
        content: what JSON parsing gave.
        file: name for messages.
        categorical_drift_method: the environment's override of the file's method.

    Raises:
        AnalyzerError: a part is missing or has a value it cannot have.
    """
    if not isinstance(content, dict) or not isinstance(content.get("features"), list):
        raise AnalyzerError(
            "constraints.json needs `features`, a list.", file=file, hint="Take the file that a baseline run wrote."
        )
    config = configure(MonitoringConfig(), content.get("monitoring_config") or {}, "monitoring_config", file)
    if categorical_drift_method:
        config.categorical_drift_method = _setting(
            "categorical_drift_method", categorical_drift_method, "environment", file
        )
    constraints = Constraints(config=config)
    for index, item in enumerate(content["features"]):
        feature = _feature(item, config, f"features[{index}]", file)
        constraints.features[feature.name] = feature
    return constraints
