"""The alert topic, and the queue that keeps every alert where an environment wants one."""

import json

from include.infrastructure.differences import between
from include.infrastructure.policies import document_of, policy
from include.infrastructure.site import Change, Site, find
from sagemaker_batch import names

RETENTION_SECONDS = "1209600"
KEY = "KmsMasterKeyId"


def topic(site: Site) -> Change:
    """Make the topic that alerts go to, encrypted by the environment's key where it has one."""
    environment = site.environment
    name = names.alert_topic(environment.name)
    arn = names.topic_arn(environment.name, environment.region, environment.account)
    key = environment.kms_key or ""
    present = find(lambda: site.sns.get_topic_attributes(TopicArn=arn))
    if present is None:
        if site.act:
            tags = [{"Key": tag, "Value": value} for tag, value in sorted(environment.tags.items())]
            site.sns.create_topic(Name=name, Tags=tags, **({"Attributes": {KEY: key}} if key else {}))
        return Change("created", "topic", name)
    lines = between(present["Attributes"].get(KEY, ""), key)
    if not lines:
        return Change("unchanged", "topic", name)
    if site.act:
        site.sns.set_topic_attributes(TopicArn=arn, AttributeName=KEY, AttributeValue=key)
    return Change("updated", "topic", name, tuple(f"encryption: {line}" for line in lines))


def inbox(site: Site) -> Change:
    """Make the queue that keeps every alert; only the topic may write to it."""
    name = names.alert_inbox(site.environment.name)
    allowed = policy("inbox", site.environment, site.use_cases)
    found = find(lambda: site.sqs.get_queue_url(QueueName=name))
    attributes = {"Policy": json.dumps(allowed), "MessageRetentionPeriod": RETENTION_SECONDS}
    if found is None:
        if site.act:
            site.sqs.create_queue(QueueName=name, Attributes=attributes)
        return Change("created", "inbox", name)
    url = found["QueueUrl"]
    present = site.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
    lines = between(document_of(present.get("Policy", "{}")), allowed)
    if not lines:
        return Change("unchanged", "inbox", name)
    if site.act:
        site.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return Change("updated", "inbox", name, tuple(f"policy: {line}" for line in lines))


def subscription(site: Site) -> Change:
    """Subscribe the inbox to the topic."""
    environment = site.environment
    name = names.alert_inbox(environment.name)
    topic_arn = names.topic_arn(environment.name, environment.region, environment.account)
    queue = f"arn:aws:sqs:{environment.region}:{environment.account}:{name}"

    def subscriptions() -> list[str]:
        pages = site.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        return [item["Endpoint"] for page in pages for item in page["Subscriptions"]]

    if queue in (find(subscriptions) or []):
        return Change("unchanged", "subscription", name)
    if site.act:
        site.sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue)
    return Change("created", "subscription", name)
