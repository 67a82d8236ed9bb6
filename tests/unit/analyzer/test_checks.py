"""The six checks: when they fire, and the sentences of real reports."""

import json

import pytest
from monitor_analyzer import checks, constraints, statistics
from monitor_analyzer.dataset import DatasetFormat, profile_dataset
from monitor_analyzer.errors import AnalyzerError


@pytest.fixture
def compare(write_csv):
    """Baseline rows, today's rows, edits of the constraints: (type, feature, description) of each violation."""

    def run(baseline, today, edit=None, method=None):
        before = profile_dataset(write_csv(baseline, "baseline.csv"), DatasetFormat())
        content = json.loads(json.dumps(constraints.suggest(before)))
        if edit:
            edit(content)
        limits = constraints.parse(content, "constraints.json", method)
        watched = {name: limit.domains or [] for name, limit in limits.features.items()}
        now = profile_dataset(write_csv(today, "today.csv"), DatasetFormat(), watched)
        facts = statistics.parse(json.loads(json.dumps(statistics.document(before))), "statistics.json")
        found = checks.violations(now, limits, facts)
        return [(item.constraint_check_type, item.feature_name, item.description) for item in found]

    return run


def table(**columns):
    return [list(columns), *zip(*columns.values(), strict=True)]


NUMBERS = [f"{value}.5" for value in range(100)]


def test_a_dataset_satisfies_its_own_constraints(compare):
    """Every suggestion holds for the data that it was made from."""
    rows = table(
        whole=range(100),
        fraction=NUMBERS,
        mixed=["A1", "7"] * 50,
        state=["NY", "OH"] * 50,
        gaps=["", "2"] * 50,
        none=[""] * 100,
    )
    assert compare(rows, rows) == []


def test_text_in_a_number_is_a_type_violation(compare):
    """The sentence is the one of real reports, with the share of the present values."""
    today = table(a=[*range(236), "x", "", ""], k=["1"] * 239)
    assert compare(table(a=range(100), k=["1"] * 100), today) == [
        (
            "data_type_check",
            "a",
            (
                "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. "
                f"Observed: Only {236 / 237 * 100!r}% of data is Integral."
            ),
        ),
        (
            "completeness_check",
            "a",
            f"Data completeness requirement is not met. Expected: 100.0%. Observed: Only {237 / 239 * 100!r}%.",
        ),
    ]


def test_fractions_violate_an_integral_but_not_the_reverse(compare):
    """A whole number is a Fractional value; a fraction is no Integral."""
    whole, fraction = table(a=range(100)), table(a=NUMBERS)
    assert [kind for kind, *_ in compare(whole, fraction)] == ["data_type_check"]
    assert compare(fraction, whole) == []


def test_thresholds_are_honoured(compare):
    """A lowered datatype threshold and completeness let the same data pass."""

    def edit(content):
        content["monitoring_config"]["datatype_check_threshold"] = 0.9
        content["features"][0]["completeness"] = 0.9

    today = table(a=[*range(95), "x", "", ""], k=["1"] * 98)
    assert compare(table(a=range(100), k=["1"] * 100), today, edit) == []


def test_an_override_holds_for_its_feature_only(compare):
    """monitoringConfigOverrides of one feature change its thresholds and no other's."""

    def edit(content):
        content["features"][0]["monitoringConfigOverrides"] = {"datatype_check_threshold": 0.5}
        # As the SDK's set_monitoring spells it.
        content["features"][1]["monitoring_config_overrides"] = {"evaluate_constraints": "Disabled"}

    values = [*range(99), "x"]
    found = compare(table(a=range(100), b=range(100), c=range(100)), table(a=values, b=values, c=values), edit)
    assert [name for _, name, _ in found] == ["c"]


def test_disabled_constraints_report_nothing(compare):
    """evaluate_constraints: Disabled switches every check off."""

    def edit(content):
        content["monitoring_config"]["evaluate_constraints"] = "Disabled"

    assert compare(table(a=range(9)), table(b=["x"] * 9), edit) == []


def test_missing_and_extra_columns_are_told_by_name(compare):
    """A renamed column is both; the counts stand in the sentence as in real reports."""
    rows = table(a=range(9), b=range(9))
    renamed = compare(rows, table(a=range(9), c=range(9)))
    assert [kind for kind, *_ in renamed] == ["missing_column_check", "extra_column_check"]
    assert renamed[0][2].endswith("Missing: b.")
    assert renamed[1][2].endswith("Extra: c.")
    [(kind, _, description)] = compare(rows, table(a=range(9)))
    assert kind == "missing_column_check"
    assert "Number of columns in current dataset: 1, Number of columns in baseline constraints: 2" in description


def test_new_categories_are_counted_and_not_shown(compare):
    """Values outside the domain violate; the sentence gives their share and never the value."""
    [(kind, name, description)] = compare(table(s=["x", "y"] * 50), table(s=["x", "y"] * 49 + ["secret", "x"]))
    assert (kind, name) == ("categorical_values_check", "s")
    assert "Only 99.0% of data is in the domain" in description
    assert "secret" not in description


def test_the_domain_is_counted_among_any_number_of_values(compare):
    """Known values count right although more distinct values come than categories are kept."""
    today = table(s=[f"new{index}" for index in range(5000)] + ["x"] * 5000, k=["1"] * 10_000)
    found = compare(table(s=["x", "y"] * 50, k=["1"] * 100), today)
    assert [(kind, name) for kind, name, _ in found] == [("categorical_values_check", "s")]
    assert "Only 50.0% of data" in found[0][2]


def test_a_rare_share_or_many_values_suggest_no_domain(compare):
    """No domain is suggested when over a tenth of the values occur once, so nothing can be outside it."""
    baseline = table(s=["a", "b", "c", *["d"] * 97])
    assert compare(baseline, table(s=["e"] * 3 + ["d"] * 97)) == []


def test_a_shifted_number_is_drift_in_the_container_s_words(compare):
    """A shift beyond the robust distance violates with the sentence of real reports."""
    [(kind, name, description)] = compare(
        table(a=[index / 7 for index in range(2000)]), table(a=[100 + index / 7 for index in range(2000)])
    )
    assert (kind, name) == ("baseline_drift_check", "a")
    distance, threshold = description.removeprefix("Baseline drift distance: ").split(" exceeds threshold: ")
    assert threshold == "0.1"
    assert 0.1 < float(distance) < 1


def test_the_simple_method_and_its_threshold_come_from_the_file(compare):
    """comparison_method Simple compares without the correction, against the file's threshold."""

    def simple(threshold):
        def edit(content):
            content["monitoring_config"]["distribution_constraints"] |= {
                "comparison_method": "Simple",
                "comparison_threshold": threshold,
            }

        return edit

    before, after = table(a=range(100)), table(a=range(20, 120))
    assert compare(before, after) == []
    assert compare(before, after, simple(0.19))[0][2].endswith(" exceeds threshold: 0.19")
    assert compare(before, after, simple(0.21)) == []


def test_discrete_numbers_hide_drift_as_they_do_on_aws(compare):
    """A flipped binary column never fires under Robust: interchangeability, with drift_report.json beside it."""
    assert compare(table(a=[0] * 990 + [1] * 10), table(a=[1] * 990 + [0] * 10)) == []


def test_a_changed_mix_of_categories_is_drift(compare):
    """L-infinity on categories fires on a changed mix; ChiSquared from the environment fires too."""
    before, after = table(s=["x"] * 500 + ["y"] * 500), table(s=["x"] * 900 + ["y"] * 100)
    [(kind, _, description)] = compare(before, after)
    assert (kind, "distance" in description) == ("baseline_drift_check", True)
    [(kind, _, description)] = compare(before, after, method="ChiSquared")
    assert (kind, "p-value" in description) == ("baseline_drift_check", True)
    assert compare(before, before, method="ChiSquared") == []


def test_comparison_can_be_switched_off(compare):
    """perform_comparison: Disabled leaves drift alone."""

    def edit(content):
        content["monitoring_config"]["distribution_constraints"]["perform_comparison"] = "Disabled"

    assert compare(table(s=["x"] * 500 + ["y"] * 500), table(s=["x"] * 900 + ["y"] * 100), edit) == []


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda c: c.pop("features"), "needs `features`"),
        (lambda c: c["features"].append({}), "features[1] needs a `name`"),
        (lambda c: c["features"][0].update(inferred_type="Whole"), "inferred_type must be"),
        (lambda c: c["features"][0].update(completeness="1"), "completeness must be a number"),
        (lambda c: c["features"][0].update(string_constraints={"domains": [1]}), "domains must be a list of texts"),
        (lambda c: c["features"][0].update(monitoringConfigOverrides=[1]), "must be an object"),
        (lambda c: c["monitoring_config"].update(evaluate_constraints="yes"), "must be one of Enabled, Disabled"),
        (lambda c: c["monitoring_config"].update(datatype_check_threshold="1e-1"), "must be a number of at least 0"),
        (lambda c: c["monitoring_config"].update(distribution_constraints=3), "must be an object"),
    ],
)
def test_a_wrong_edit_is_named(compare, edit, what):
    """A constraint that cannot be meant is an error that names the feature and the key."""
    with pytest.raises(AnalyzerError) as caught:
        compare(table(a=range(9)), table(a=range(9)), edit)
    assert what in str(caught.value)
    assert str(caught.value).startswith("constraints.json: ")
