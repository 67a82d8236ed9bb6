"""The two pipelines, authored with the SageMaker SDK v3 and compiled to JSON that is committed.

`python -m include.pipelines compile --environment local` in the authoring environment. Nothing but that command imports
the SDK; deployment reads the JSON.
"""
