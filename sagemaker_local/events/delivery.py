"""From a change in the store to the targets of users' rules, at least once, also across a restart.

An event is written in the transaction of the change that it tells of. One thread matches events with the rules and
turns each into one delivery for each target; a delivery leaves the store when its target has taken it, or when it is
given up as EventBridge gives up: after 24 hours or 185 retries (or what the target's RetryPolicy says), or at once when
the target does not exist. What is given up goes to the target's dead-letter queue, or is told on stderr.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_local.api import Api
from sagemaker_local.delegate import Delegate
from sagemaker_local.events import changes, pattern, targets
from sagemaker_local.jobs.clients import Clients
from sagemaker_local.store import Transaction

Document = dict[str, Any]

_MAX_RETRIES = 185
_MAX_AGE_SECONDS = 86400
_FIRST_DELAY_SECONDS = 0.2
_MAX_DELAY_SECONDS = 60.0
_IDLE_SECONDS = 30.0
_PASSING = ("Throttling", "TooManyRequests", "RequestLimitExceeded", "ServiceUnavailable", "InternalError", "KMS")
_READING = ("List", "Describe", "Test", "PutEvents")


class Delivery:
    """The thread that delivers."""

    def __init__(self, api: Api, clients: Clients, delegate: Delegate) -> None:
        """Have changes in the store make events from now on; nothing is delivered before `start`."""
        self._api = api
        self._clients = clients
        self._delegate = delegate
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._rules_lock = threading.Lock()
        self._rules: list[Document] | None = None
        self._rules_of = 0  # which start of the rest of AWS they were read from
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        api.store.watch(changes.KINDS, self._on_change, self._wake.set)

    def start(self) -> None:
        """Begin to deliver, first of all what a former server left."""
        self._wake.set()
        self._thread.start()

    def close(self) -> None:
        """Stop delivering; what is left stays in the store."""
        self._closed.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def forwarded(self, operation: str) -> None:
        """Read the rules anew when a request to the rest of AWS may have changed them."""
        service, _, name = operation.partition(":")
        if service == "cloudformation" or (service == "events" and not name.startswith(_READING)):
            with self._rules_lock:
                self._rules = None

    def _on_change(
        self, tx: Transaction, kind: str, key: str, before: Document | None, after: Document | None
    ) -> Document | None:
        event = changes.event(tx, kind, key, (before, after), self._api.clock())
        return None if event is None else {**event, "account": self._api.account, "region": self._api.region}

    def _run(self) -> None:
        wait = 0.0
        while not self._closed.is_set():
            self._wake.wait(wait)
            self._wake.clear()
            if self._closed.is_set():
                return
            try:
                self._match()
                wait = self._deliver()
            except (ClientError, BotoCoreError) as error:
                print(f"sagemaker_local: events wait, the rules cannot be read: {error}", file=sys.stderr, flush=True)
                wait = 1.0
            except Exception:  # noqa: BLE001 - a bug of ours must not end the thread; it is told in full
                traceback.print_exc(file=sys.stderr)
                wait = 1.0

    def _match(self) -> None:
        """Turn events into deliveries."""
        with self._api.store.read() as tx:
            events = tx.list("event")
        if not events:
            return
        rules = self._current_rules()
        found = [(event, self._targets(rules, event)) for event in events]
        with self._api.store.transaction() as tx:
            for event, matched in found:
                tx.delete("event", event["id"])
                for rule_arn, target in matched:
                    key = str(uuid.uuid4())
                    delivery = {"key": key, "event": event, "rule": rule_arn, "target": target}
                    tx.insert("delivery", key, {**delivery, "attempts": 0, "due": 0.0, "since": self._api.clock()})

    def _targets(self, rules: list[Document], event: Document) -> list[tuple[str, Document]]:
        return [(rule["Arn"], target) for rule in rules if _matches(rule, event) for target in rule["targets"]]

    def _current_rules(self) -> list[Document]:
        with self._rules_lock:
            if self._rules is not None and self._rules_of == self._delegate.starts:
                return self._rules
            starts = self._delegate.starts
            # What changes while they are read makes them be read again.
            self._rules = []
            self._rules_of = starts
        try:
            rules = self._read_rules()
        except BaseException:
            with self._rules_lock:
                self._rules = None
            raise
        with self._rules_lock:
            if self._rules is not None:
                self._rules = rules
        return rules

    def _read_rules(self) -> list[Document]:
        client = self._clients.get("events")
        rules: list[Document] = []
        for page in client.get_paginator("list_rules").paginate():
            for rule in page["Rules"]:
                if rule.get("State") != "ENABLED" or not rule.get("EventPattern"):
                    continue
                pages = client.get_paginator("list_targets_by_rule").paginate(Rule=rule["Name"])
                rules.append({**rule, "targets": [target for each in pages for target in each["Targets"]]})
        return rules

    def _deliver(self) -> float:
        """Send what is due; return the seconds until more is."""
        now = self._api.clock()
        with self._api.store.read() as tx:
            deliveries = tx.list("delivery")
        later = [each["due"] for each in deliveries if each["due"] > now]
        for delivery in deliveries:
            if delivery["due"] <= now and not self._closed.is_set():
                due = self._attempt(delivery)
                if due is not None:
                    later.append(due)
        return max(0.0, min(later) - self._api.clock()) if later else _IDLE_SECONDS

    def _attempt(self, delivery: Document) -> float | None:
        """Send one; return when to try again, or None when it is done with."""
        try:
            targets.send(self._clients, delivery["target"], delivery["rule"], delivery["event"])
        except (ClientError, BotoCoreError, targets.TargetError) as error:
            policy = delivery["target"].get("RetryPolicy") or {}
            age = self._api.clock() - delivery["since"]
            exhausted = delivery["attempts"] >= policy.get("MaximumRetryAttempts", _MAX_RETRIES)
            too_old = age > policy.get("MaximumEventAgeInSeconds", _MAX_AGE_SECONDS)
            if _passes(error) and not exhausted and not too_old:
                return self._postpone(delivery)
            self._give_up(delivery, error)
        with self._api.store.transaction() as tx:
            tx.delete("delivery", delivery["key"])
        return None

    def _postpone(self, delivery: Document) -> float:
        delay = min(_MAX_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** min(delivery["attempts"], 10))
        due = self._api.clock() + delay
        with self._api.store.transaction() as tx:
            tx.put("delivery", delivery["key"], {**delivery, "attempts": delivery["attempts"] + 1, "due": due})
        return due

    def _give_up(self, delivery: Document, error: Exception) -> None:
        target = delivery["target"]
        reason = f"{error}"
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if queue:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            told = {"RULE_ARN": delivery["rule"], "TARGET_ARN": target["Arn"], "ERROR_CODE": code}
            told["ERROR_MESSAGE"] = reason
            attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
            try:
                text = json.dumps(delivery["event"])
                targets.put_on_queue(self._clients, queue, text, MessageAttributes=attributes)
                return
            except (ClientError, BotoCoreError) as failure:
                reason = f"{reason}; and the dead-letter queue did not take it: {failure}"
        print(
            f"sagemaker_local: the event {delivery['event']['detail-type']} of {delivery['event']['resources'][-1]} "
            f"was not delivered to {target['Arn']} (rule {delivery['rule']}): {reason}",
            file=sys.stderr,
            flush=True,
        )


def _matches(rule: Document, event: Document) -> bool:
    try:
        return pattern.matches(json.loads(rule["EventPattern"]), event)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        print(
            f"sagemaker_local: the rule {rule['Arn']} has a pattern that cannot be used: {error}",
            file=sys.stderr,
            flush=True,
        )
        return False


def _passes(error: Exception) -> bool:
    """Tell whether another attempt may succeed."""
    if isinstance(error, targets.TargetError):
        return False
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return status >= 500 or status == 429 or error.response["Error"]["Code"].startswith(_PASSING)
    return True
