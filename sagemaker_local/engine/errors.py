"""How a step ends other than well."""


class StepFailedError(Exception):
    """The step fails; the message becomes its FailureReason.

    `exception_type` is what a retry policy knows the failure by, None when no policy applies.
    """

    def __init__(self, reason: str, exception_type: str | None = None) -> None:
        """Keep the reason and what a policy may look for."""
        super().__init__(reason)
        self.exception_type = exception_type


class StepStoppedError(Exception):
    """The execution was stopped while the step ran."""


class EngineClosedError(Exception):
    """The server ends; the next one takes the execution up where the store says that it stood."""
