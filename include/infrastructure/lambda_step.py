"""The function behind the batch pipeline's Lambda step."""

import time
from typing import Any

from botocore.exceptions import ClientError

from include.infrastructure.differences import between
from include.infrastructure.function import code_sha256, function_zip
from include.infrastructure.site import Change, Site, code_of, find
from sagemaker_batch import names

SETTINGS = {"Runtime": "python3.12", "Handler": "handler.handler", "Timeout": 60, "MemorySize": 256}
# A new role is known everywhere in IAM only after some seconds.
ROLE_DEADLINE = 60.0


def function(site: Site) -> Change:
    """Make the function, or set its code and its settings right."""
    environment = site.environment
    name, content = names.lambda_function(environment.name), function_zip()
    wanted = {**SETTINGS, "Role": environment.role("function")}
    found = find(lambda: site.functions.get_function(FunctionName=name))
    if found is None:
        if site.act:
            _create(site, FunctionName=name, Code={"ZipFile": content}, Publish=False, Tags=environment.tags, **wanted)
        return Change("created", "function", name)
    present = found["Configuration"]
    details = [f"code: {line}" for line in between(present["CodeSha256"], code_sha256(content))]
    if site.act and details:
        site.functions.update_function_code(FunctionName=name, ZipFile=content)
        site.functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    settings = between({key: present.get(key) for key in wanted}, wanted)
    if site.act and settings:
        site.functions.update_function_configuration(FunctionName=name, **wanted)
        site.functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    details += settings
    return Change("updated" if details else "unchanged", "function", name, tuple(details))


def _create(site: Site, **arguments: Any) -> None:
    deadline = time.monotonic() + ROLE_DEADLINE
    while True:
        try:
            site.functions.create_function(**arguments)
            break
        except ClientError as error:
            unknown_role = "role" in error.response["Error"].get("Message", "") and code_of(error).startswith("Invalid")
            if not unknown_role or time.monotonic() > deadline:
                raise
            time.sleep(2)
    site.functions.get_waiter("function_active_v2").wait(FunctionName=arguments["FunctionName"])
