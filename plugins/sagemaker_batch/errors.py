"""The package's errors: one root, few leaves. A message says what happened, where, why probably, and what to type."""


class BatchError(Exception):
    """Something of ours cannot go on; trying again without a change will not help."""


class BadRun(BatchError):  # noqa: N818 - the field's word
    """The run was asked for something that it cannot mean: no batch day, a future one, a policy that is none."""


class InputNotReady(BatchError):  # noqa: N818 - the field's word
    """The day's input is absent, incomplete, or changed under the run."""


class MonitorError(BatchError):
    """The monitor or the transform did not do its work, so there is no verdict."""


class ConstraintsError(BatchError):
    """A use case's overrides do not fit the constraints of the model that scores."""


class ExecutionError(BatchError):
    """A pipeline execution cannot be started, or did not end well."""


class PublishError(BatchError):
    """Predictions cannot become visible."""


class Undeliverable(BatchError):  # noqa: N818 - the field's word
    """An alert reached no one."""


class Unanswered(BatchError):  # noqa: N818 - the field's word
    """A reviewer was asked, and nobody answered in time."""
