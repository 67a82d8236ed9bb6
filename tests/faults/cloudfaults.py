"""Faults of AWS on purpose, set over the admin route of the local SageMaker."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sagemaker_local.control import Control, ControlError


@dataclass(frozen=True)
class CloudFault:
    """A fault that is set."""

    control: Control
    number: int

    @property
    def fired(self) -> int:
        """How many requests it has hit."""
        return next((int(fault["fired"]) for fault in self.control.faults() if fault["id"] == self.number), 0)


@contextmanager
def cloud_fault(control: Control, kind: str, **members: Any) -> Iterator[CloudFault]:
    """Set a fault for the time of the block; a server that is killed within it has none any more."""
    fault = CloudFault(control, int(control.add_fault(kind, **members)["id"]))
    try:
        yield fault
    finally:
        try:
            control.remove_fault(fault.number)
        except ControlError as error:
            if error.status != 404:
                raise
