"""How a job ends other than well."""


class JobFailedError(Exception):
    """The job fails; the message becomes its FailureReason."""


class JobStoppedError(Exception):
    """The job was asked to stop, or the server ends, before it was done."""
