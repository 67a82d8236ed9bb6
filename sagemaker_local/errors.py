"""What goes wrong, in AWS's own terms."""


class ApiError(Exception):
    """An error of the SageMaker API as a client sees it.

    `code` is the modelled error name (``ResourceNotFound``), `message` a sentence for a person, `status` that of HTTP.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """Keep the three things that go over the wire."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class ValidationError(ApiError):
    """The request itself is wrong."""

    def __init__(self, message: str) -> None:
        """SageMaker knows one code for all of these."""
        super().__init__("ValidationException", message)


class ResourceNotFoundError(ApiError):
    """The thing asked for does not exist."""

    def __init__(self, message: str) -> None:
        """As modelled: ``ResourceNotFound``."""
        super().__init__("ResourceNotFound", message)


class ResourceInUseError(ApiError):
    """The name is taken, or the thing is busy."""

    def __init__(self, message: str) -> None:
        """As modelled: ``ResourceInUse``."""
        super().__init__("ResourceInUse", message)


class ConflictError(ApiError):
    """The state of the thing does not allow the call."""

    def __init__(self, message: str) -> None:
        """As modelled: ``ConflictException``."""
        super().__init__("ConflictException", message)


class LimitExceededError(ApiError):
    """A quota is used up."""

    def __init__(self, message: str) -> None:
        """As modelled: ``ResourceLimitExceeded``."""
        super().__init__("ResourceLimitExceeded", message)


class NotImplementedHereError(ApiError):
    """The operation exists at AWS and not here.

    Answered with HTTP 501, which botocore does not retry (it retries 500).
    """

    def __init__(self, operation: str) -> None:
        """Name the operation, so that nobody has to guess."""
        super().__init__(
            "NotImplementedException",
            f"sagemaker_local does not implement {operation}. "
            "See sagemaker_local/COVERAGE.md for what it does; against AWS the call is valid.",
            501,
        )


class HandlerError(Exception):
    """A handler broke its own contract (returned what the service model does not know): a bug of ours."""
