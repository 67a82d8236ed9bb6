"""A local SageMaker: the service's API over botocore's own model, run by real processes on this machine."""

__version__ = "0.1.0"
