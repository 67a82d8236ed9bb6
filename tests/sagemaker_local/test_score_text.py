"""Scores of a batch transform as text: the fast way writes what Python writes, bit for bit."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from sagemaker_local.runtimes import csv_transform


def scores(seed: int) -> np.ndarray:
    """Return float32 scores of every size, both signs, and the edges between the ways of writing them."""
    generator = np.random.default_rng(seed)
    sizes = 10 ** generator.uniform(-44, 15, 20_000)
    edges = [0.0, -0.0, 1.0, 1e-4, 9.999e-5, 1e-5, 2e-5, 9.999e-6, 1e-9, 1e-10, 1e15, 10.00001, 100.00002]
    found = np.concatenate([sizes, -sizes, generator.uniform(0, 1, 20_000), edges]).astype(np.float32)
    assert np.isfinite(found).all()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_written_as_python_writes_them(seed):
    """Alone and after fields of the input, which are left as they are, e-5 at their end too."""
    given = scores(seed)
    texts = [str(value) for value in given.astype(np.float64).tolist()]
    assert csv_transform._lines([], given).decode().splitlines() == texts
    ids = pl.Series("id", [f"e-{number}" for number in range(len(given))])
    lines = csv_transform._lines([ids], given).decode().splitlines()
    assert lines == [f"e-{number},{text}" for number, text in enumerate(texts)]


def test_scores_beyond_the_plain_ones_are_written_too():
    """Large ones, NaN and infinities."""
    given = np.array([1e20, 3.0, np.nan, np.inf, -np.inf, 1e-7], dtype=np.float32)
    texts = [str(value) for value in given.astype(np.float64).tolist()]
    assert csv_transform._lines([], given).decode().splitlines() == texts
