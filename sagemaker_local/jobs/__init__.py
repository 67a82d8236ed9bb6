"""A job: a process group in a directory of its own that looks like a SageMaker container from inside."""
