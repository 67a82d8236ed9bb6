"""What to do when a job ended because its interpreter lacks a module."""

from __future__ import annotations

import re
import sys
from pathlib import Path

# What each extra of the wheel brings, by the names of its modules.
_EXTRAS = {
    "xgboost": ("xgboost", "numpy", "polars", "scipy"),
    "scikit-learn": ("sklearn", "joblib", "pandas", "pyarrow"),
}
_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")


def module_of(line: str) -> str | None:
    """Return the package that a line of output says is not there, as Python writes it."""
    match = _MISSING.match(line)
    return None if match is None else match[1]


def advice(module: str, image: str, table: Path, *, own: bool) -> str:
    """Return what to type.

    Args:
        module: that is missing.
        image: of the job.
        table: the file of runtimes.
        own: whether the job ran with the interpreter of the server.
    """
    said = f"ModuleNotFoundError: No module named {module!r}. "
    extra = next((name for name, modules in _EXTRAS.items() if module in modules), None)
    if own and extra is not None:
        return (
            f"{said}What stands for the image {image!r} needs it. Type: {sys.executable} -m pip install "
            f"'sagemaker_local[{extra}]', and start the job again."
        )
    return (
        f"{said}Install it where the job's interpreter finds it (in script mode by a requirements.txt), or name "
        f"another interpreter for the image {image!r} in {table}."
    )
