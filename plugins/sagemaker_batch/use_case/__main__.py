"""Print the JSON Schema of a use-case file."""

import json
import sys

from sagemaker_batch.use_case.case import json_schema

sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
