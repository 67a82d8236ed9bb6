"""XGBoost without what it would load beside itself.

``import xgboost`` loads scikit-learn, pandas and scipy.stats when they are installed, for wrappers that these programs
do not use: about 5 s of CPU instead of 1 s, which is most of the time of a small job. Its OpenMP threads spin while
they wait for each other: with fewer free cores than threads a small job costs four times its work, so they sleep.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

_UNUSED = ("sklearn", "pandas", "scipy.stats")


def import_xgboost() -> Any:
    """Return the module; modules that were imported before stay."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, when the library is loaded
    hidden: list[str] = [name for name in _UNUSED if name not in sys.modules]
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # None means: not importable
    for name in hidden:
        modules[name] = None
    try:
        import xgboost
    finally:
        for name in hidden:
            del sys.modules[name]
    return xgboost
