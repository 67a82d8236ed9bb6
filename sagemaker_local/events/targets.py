"""Handing an event to a target of a rule: SQS, SNS, Lambda."""

from __future__ import annotations

import json
import re
from typing import Any

from sagemaker_local.jobs.clients import Clients

Document = dict[str, Any]

_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")


class TargetError(Exception):
    """A target that is never going to take the event."""


def send(clients: Clients, target: Document, rule_arn: str, event: Document) -> None:
    """Send an event to a target.

    Raises:
        TargetError: no target of this kind is served here, or its input cannot be made.
        botocore's errors: the service did not take it.
    """
    text = message(target, rule_arn, event)
    service = target["Arn"].split(":")[2]
    if service == "sqs":
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        put_on_queue(clients, target["Arn"], text, **({"MessageGroupId": group} if group else {}))
    elif service == "sns":
        clients.get("sns").publish(TopicArn=target["Arn"], Message=text)
    elif service == "lambda":
        clients.get("lambda").invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode())
    else:
        raise TargetError(f"Events go to targets of SQS, SNS and Lambda here, not to {target['Arn']}.")


def put_on_queue(clients: Clients, queue_arn: str, text: str, **members: Any) -> None:
    """Send a message to a queue by its ARN."""
    *_, account, name = queue_arn.split(":")
    url = clients.get("sqs").get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    clients.get("sqs").send_message(QueueUrl=url, MessageBody=text, **members)


def message(target: Document, rule_arn: str, event: Document) -> str:
    """Return what a target is given: the event, or what its Input, InputPath or InputTransformer makes of it."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(_at(event, target["InputPath"]))
    transformer = target.get("InputTransformer")
    if transformer:
        return _transformed(transformer, rule_arn, event)
    return json.dumps(event)


def _transformed(transformer: Document, rule_arn: str, event: Document) -> str:
    values = {name: _at(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    template = transformer["InputTemplate"]

    def fill(found: re.Match[str]) -> str:
        if found.group(1) not in values:
            return found.group(0)
        value = values[found.group(1)]
        if not isinstance(value, str):
            return json.dumps(value)
        quoted = json.dumps(value)
        # Inside the quotes of a JSON text the value stands bare; as a value of its own it brings quotes along.
        return quoted[1:-1] if _inside_text(template, found.start()) else quoted

    if template.lstrip().startswith(("{", "[")):
        return _VARIABLE.sub(fill, template)
    return _VARIABLE.sub(lambda found: _plain(values, found), template)


def _plain(values: Document, found: re.Match[str]) -> str:
    value = values.get(found.group(1), found.group(0))
    return value if isinstance(value, str) else json.dumps(value)


def _inside_text(template: str, place: int) -> bool:
    return len(re.findall(r'(?<!\\)"', template[:place])) % 2 == 1


def _at(event: Document, path: str) -> Any:
    """Return what stands at a path such as ``$.detail.items[0]``; null when there is nothing."""
    if not path.startswith("$"):
        raise TargetError(f"The path {path!r} does not begin with $.")
    value: Any = event
    for name, index in re.findall(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]", path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return value
