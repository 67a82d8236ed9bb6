"""Who asked for what: the permissions that each access key would have needed, with the resources they were asked on.

The local AWS takes any key and refuses nobody. A key that says who is calling (the engine and jobs use the name of
their role) makes this a record to hold policies against.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sagemaker_local.admin.permissions import Permission

_MAX_RESOURCES = 20_000
_MAX_CALLERS = 100
_MAX_ACTIONS = 500


class Access:
    """A set of resources for each caller and action."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
        self._seen: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._left_out = 0

    def note(self, caller: str, permissions: Iterable[Permission]) -> None:
        """Note what a caller asked for; beyond the bounds it is counted only, for a client may make names up."""
        with self._lock:
            for action, resource in permissions:
                if caller not in self._seen and len(self._seen) >= _MAX_CALLERS:
                    self._left_out += 1
                    continue
                actions = self._seen[caller]
                known = action in actions or len(actions) < _MAX_ACTIONS
                if known and (resource in actions[action] or len(actions[action]) < _MAX_RESOURCES):
                    actions[action].add(resource)
                else:
                    self._left_out += 1

    def reset(self) -> None:
        """Begin with nothing again."""
        with self._lock:
            self._seen.clear()
            self._left_out = 0

    def document(self) -> dict[str, Any]:
        """Return resources by action by caller, and how many were left out."""
        with self._lock:
            return {
                "callers": {
                    caller: {action: sorted(resources) for action, resources in sorted(actions.items())}
                    for caller, actions in sorted(self._seen.items())
                },
                "left_out": self._left_out,
            }
