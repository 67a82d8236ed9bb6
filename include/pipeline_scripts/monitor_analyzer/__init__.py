"""A data-quality analyzer that reads and writes what SageMaker Model Monitor's container does.

Runs as the container (`python -m monitor_analyzer container`) and for a person (`profile`, `compare`). Needs nothing
but Python 3.11; `xxhash`, `numba` with `numpy`, and `pyarrow` make it faster or let it read Parquet when installed.
"""

__version__ = "1.0.0"
