"""What each operation does: one module per resource, each handler registered under its AWS name."""

from __future__ import annotations

import importlib
import pkgutil

from sagemaker_local.operations.registry import HANDLERS, Handler, operation

__all__ = ["HANDLERS", "Handler", "load", "operation"]


def load() -> None:
    """Import every module of this package, so that its handlers are registered."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
