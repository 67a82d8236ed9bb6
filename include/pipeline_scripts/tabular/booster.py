"""XGBoost without its estimator classes, which would import scikit-learn and most of SciPy: 4 s of 5 at every start."""

from __future__ import annotations

import sys

sys.modules.setdefault("sklearn", None)  # type: ignore[arg-type]

import xgboost  # noqa: E402 - the line above must come first

__all__ = ["xgboost"]
