"""Channels outside AWS, by the providers' own hooks, which are imported late: mail, Slack, PagerDuty, a webhook."""

import json
from typing import TYPE_CHECKING, Any

from sagemaker_batch.channels.aws import addresses
from sagemaker_batch.channels.route import RESOLVED, TIMEOUT_SECONDS, machine_facts, shortened
from sagemaker_batch.errors import Undeliverable

if TYPE_CHECKING:
    from sagemaker_batch.alerts import Alert

SLACK_LIMIT = 35_000
PAGER_SUMMARY = 1024
PAGER_TEXT = 8_000


class Mail:
    """An `smtp` connection whose extra has `from_email` and `to_email`."""

    needs = "smtp with from_email and to_email in its extra"
    provider = "apache-airflow-providers-smtp"

    def tell(self, conn_id: str, connection: Any, alert: "Alert") -> None:
        """Send a mail; the text stays a text."""
        from email.message import EmailMessage

        from airflow.providers.smtp.hooks.smtp import SmtpHook

        extra = connection.extra_dejson
        receivers, sender = addresses(extra.get("to_email")), str(extra.get("from_email") or "")
        if not receivers or not sender:
            raise Undeliverable(
                f"connection {conn_id!r} is of type 'smtp' and does not say whom to write to; it "
                f"needs from_email and to_email in its extra"
            )

        class Patient(SmtpHook):
            """The provider's own, which gives up before another sender takes the alert over."""

            @property
            def timeout(self) -> int:
                return min(int(extra.get("timeout") or TIMEOUT_SECONDS), TIMEOUT_SECONDS)

            @property
            def smtp_retry_limit(self) -> int:
                return 1

        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = alert.subject, sender, ", ".join(receivers)
        message["X-Batch-Alert"] = alert.fingerprint()
        message.set_content(shortened(alert.body))
        with Patient(smtp_conn_id=conn_id) as hook:
            client: Any = hook._smtp_client  # noqa: SLF001 - its own sending makes HTML of a text
            client.send_message(message)


class SlackWebhook:
    """A `slackwebhook` connection: the webhook decides the channel."""

    needs = "slackwebhook"
    provider = "apache-airflow-providers-slack"

    def tell(self, conn_id: str, connection: Any, alert: "Alert") -> None:  # noqa: ARG002 - the hook reads it itself
        """Post the text, headline in bold."""
        from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

        hook = SlackWebhookHook(slack_webhook_conn_id=conn_id, timeout=TIMEOUT_SECONDS)
        hook.send(text=slack_text(alert), unfurl_links=False)


class Slack:
    """A `slack` connection (a bot's token) whose extra has `channel`."""

    needs = "slack with channel in its extra"
    provider = "apache-airflow-providers-slack"

    def tell(self, conn_id: str, connection: Any, alert: "Alert") -> None:
        """Post the text into the channel."""
        from airflow.providers.slack.hooks.slack import SlackHook

        channel = connection.extra_dejson.get("channel")
        if not channel:
            raise Undeliverable(f"connection {conn_id!r} is of type 'slack' and has no channel in its extra")
        hook = SlackHook(slack_conn_id=conn_id, timeout=TIMEOUT_SECONDS)
        hook.call("chat.postMessage", json={"channel": channel, "text": slack_text(alert), "unfurl_links": False})


class Pager:
    """A `pagerduty_events` connection: an integration key of Events API v2."""

    needs = "pagerduty_events"
    provider = "apache-airflow-providers-pagerduty"

    def tell(self, conn_id: str, connection: Any, alert: "Alert") -> None:  # noqa: ARG002 - the hook reads it itself
        """Trigger an incident, one for each thing that goes wrong, or resolve it."""
        from airflow.providers.pagerduty.hooks.pagerduty_events import PagerdutyEventsHook

        facts = machine_facts(alert)
        resolved = facts.get("verdict") in RESOLVED and facts.get("update") == "true"
        PagerdutyEventsHook(pagerduty_events_conn_id=conn_id).send_event(
            summary=alert.subject[:PAGER_SUMMARY],
            severity=alert.severity if alert.severity in {"warning", "critical", "error"} else "info",
            source=facts.get("dag_id") or alert.use_case,
            action="resolve" if resolved else "trigger",
            dedup_key="/".join([alert.use_case, facts.get("dag_id", ""), alert.about or alert.fingerprint()])[:255],
            custom_details={**facts, "text": shortened(alert.body, PAGER_TEXT)},
        )


class Webhook:
    """An `http` connection to which the alert is posted as JSON: subject, text, and the facts."""

    needs = "http"
    provider = "apache-airflow-providers-http"

    def tell(self, conn_id: str, connection: Any, alert: "Alert") -> None:  # noqa: ARG002 - the hook reads it itself
        """Post; any answer but 2xx and 3xx is a failure."""
        from airflow.providers.http.hooks.http import HttpHook

        content = {**machine_facts(alert), "id": alert.fingerprint(), "subject": alert.subject, "text": alert.body}
        HttpHook(method="POST", http_conn_id=conn_id).run(
            endpoint="",
            data=json.dumps(content),
            headers={"Content-Type": "application/json"},
            extra_options={"timeout": TIMEOUT_SECONDS, "check_response": True},
        )


def slack_text(alert: "Alert") -> str:
    """Return the alert in Slack's markup: a value that looks like markup stays text."""
    escaped = [
        part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for part in (alert.subject, alert.body)
    ]
    return f"*{escaped[0]}*\n{shortened(escaped[1], SLACK_LIMIT)}"
