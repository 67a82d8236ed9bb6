# ruff: noqa: S311 - seeded data, nothing secret
"""Distances, against what is known of the container and against scipy."""

import random

import pytest
from monitor_analyzer import distance, drift_report
from monitor_analyzer.kll import Ranks, Sketch


def test_equal_items_collapse_and_the_highest_level_wins():
    """The container's quirk: a value counts once, with the weight of the highest level that holds it."""
    assert distance.collapsed_ranks([[1.0, 1.0, 2.0], [1.0]]) == ([1.0, 2.0], [2, 3])


def test_binary_columns_are_beyond_the_robust_distance():
    """With two distinct values on each side the correction is 1.8, so nothing can exceed it."""
    assert distance.numerical([[0.0] * 99 + [1.0]], [[0.0, *[1.0] * 99]], "Robust") == 0.0
    assert distance.robust(1.0, 2, 2) == 0.0


def test_categorical_distance_uses_counts():
    """Categories compare by their true shares."""
    assert distance.categorical({"a": 90, "b": 10}, {"a": 50, "b": 50}, "Simple") == pytest.approx(0.4)
    assert distance.categorical({"a": 1}, {"b": 1}, "Simple") == 1.0


def test_chi_squared_agrees_with_scipy():
    """Statistic and p-value equal scipy's where no groups have to be merged."""
    stats = pytest.importorskip("scipy.stats")
    sample, expected = {"a": 210, "b": 180, "c": 110}, {"a": 400, "b": 400, "c": 200}
    statistic, p_value = distance.chi_squared(sample, expected)
    reference = stats.chisquare([210, 180, 110], [200, 200, 100])
    assert statistic == pytest.approx(reference.statistic, rel=1e-12)
    assert p_value == pytest.approx(reference.pvalue, rel=1e-9)


@pytest.mark.parametrize("degrees", [1, 2, 5, 40, 500])
@pytest.mark.parametrize("statistic", [0.0, 1e-6, 0.5, 3.0, 40.0, 700.0])
def test_chi_squared_tail_agrees_with_scipy(statistic, degrees):
    """The tail is right from series to continued fraction."""
    stats = pytest.importorskip("scipy.stats")
    assert distance.chi_squared_tail(statistic, degrees) == pytest.approx(
        stats.chi2.sf(statistic, degrees), rel=1e-9, abs=1e-14
    )


def test_chi_squared_needs_two_groups():
    """A single value, or a value that nobody expected, gives no test."""
    assert distance.chi_squared({"a": 100}, {"a": 50}) is None
    assert distance.chi_squared({"a": 3, "b": 2}, {"a": 3, "b": 2}) is None


def test_ks_agrees_with_scipy():
    """Distance and p-value of two samples equal scipy's two-sample test."""
    stats = pytest.importorskip("scipy.stats")
    generator = random.Random(2)
    for count, shift in ((150, 0.0), (700, 0.1), (700, 0.4)):
        first = [round(generator.gauss(0, 1), 2) for _ in range(1000)]
        second = [round(generator.gauss(shift, 1), 2) for _ in range(count)]
        gap = drift_report.ks_distance(Ranks([first]), Ranks([second]))
        reference = stats.ks_2samp(first, second, method="asymp")
        assert gap == pytest.approx(reference.statistic, abs=1e-12)
        assert drift_report.ks_p_value(gap, 1000, count) == pytest.approx(reference.pvalue, abs=0.02)


def test_ks_of_a_compacted_sketch_is_near_the_truth():
    """20,000 values in a sketch give the distance of all values within half a percent."""
    stats = pytest.importorskip("scipy.stats")
    generator = random.Random(4)
    first = [generator.gauss(0, 1) for _ in range(20_000)]
    second = [generator.gauss(0.2, 1) for _ in range(20_000)]
    sketches = [Sketch(), Sketch()]
    for sketch, values in zip(sketches, (first, second), strict=True):
        sketch.extend(values)
    gap = drift_report.ks_distance(*(Ranks(sketch.levels) for sketch in sketches))
    assert gap == pytest.approx(stats.ks_2samp(first, second).statistic, abs=0.005)


def test_psi_and_jensen_shannon_have_their_known_values():
    """Equal shares are 0; disjoint ones are a Jensen-Shannon distance of 1."""
    spatial = pytest.importorskip("scipy.spatial.distance")
    p, q = [0.2, 0.3, 0.5], [0.1, 0.4, 0.5]
    assert drift_report.psi(p, p) == drift_report.jensen_shannon(p, p) == 0.0
    assert drift_report.jensen_shannon([1.0, 0.0], [0.0, 1.0]) == pytest.approx(1.0)
    assert drift_report.jensen_shannon(p, q) == pytest.approx(spatial.jensenshannon(p, q, base=2), rel=1e-9)
    assert drift_report.psi(p, q) == pytest.approx(0.1 * 0.6931471805599453 + 0.1 * 0.28768207245178085, rel=1e-9)
