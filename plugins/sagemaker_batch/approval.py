"""Deciding on a registered version: the page that a reviewer reads, the rule, and what an answer leaves. Pure."""

from dataclasses import dataclass
from typing import Any

from sagemaker_batch.comparison import LARGEST, Side, better, confusion, differences, reliability, table
from sagemaker_batch.names import REVIEW_COMMENT
from sagemaker_batch.registry import AIRFLOW_USER, APPROVE_COMMAND, REJECT_COMMAND, RULE, one_line
from sagemaker_batch.use_case import UseCase


@dataclass(frozen=True)
class Answer:
    """What a reviewer said, or the rule."""

    by: str
    why: str
    at: str = ""

    def description(self, option: str, run_id: str) -> str:
        """Return it as ApprovalDescription keeps it: one line with who, when, why and in which run."""
        said = f"{option} by {self.by}{f' at {self.at}' if self.at else ''} (run {run_id}): {self.why or 'no comment'}"
        return one_line(said)


def read_answer(found: dict[str, Any] | None, rule: dict[str, Any]) -> Answer:
    """Return the reviewer's answer, as the asking task left it, or the rule's when nobody was asked."""
    if found is None:
        return Answer(RULE, rule["why"])
    user = found.get("responded_by_user") or {}
    name = str(user.get("name") or user.get("id") or "unknown")
    return Answer(
        f"{AIRFLOW_USER}{name}",
        str(found.get("params_input", {}).get(REVIEW_COMMENT) or ""),
        str(found["responded_at"]),
    )


def review(
    use_case: UseCase, candidate: Side, in_use: Side | None, *, links: dict[str, str], reason: str
) -> dict[str, Any]:
    """Return whether the rule approves and why, a short account, and the page that a reviewer reads (Markdown)."""
    passes, why = better(candidate, in_use, use_case.review.metric or use_case.model.gate, use_case.review.margin)
    by_rule = use_case.approval == "auto"
    moved = differences(in_use.statistics, candidate.statistics, use_case.data.sensitive) if in_use else []
    lines = [
        f"Version {candidate.version} of **{use_case.name}** waits for a decision.",
        "",
        f"Trained because: {reason}",
        *([f"The rule did not approve it: {why}"] if by_rule and not passes else []),
        "",
        *table(candidate, in_use),
        "",
        "Each version was evaluated on the test rows of its own training data.",
        *_section(confusion(candidate)),
        *_section(confusion(in_use) if in_use else []),
        *_calibration(candidate, in_use),
        "",
        *_baselines(in_use, moved),
        "",
        *[f"- {name}: {_linked(url)}" for name, url in links.items() if url],
        "",
        f"Outside Airflow: `{APPROVE_COMMAND} {candidate.arn}` or `{REJECT_COMMAND} {candidate.arn}`.",
    ]
    return {
        "arn": candidate.arn,
        "version": candidate.version,
        "decision": "approve" if by_rule and passes else "ask",
        "why": why,
        "reason": reason,
        "subject": f"Approve version {candidate.version} of {use_case.name}?",
        "body": "\n".join(lines),
        "figures": candidate.figures(),
        "in_use_version": in_use.version if in_use else None,
        "in_use_figures": in_use.figures() if in_use else {},
    }


def _baselines(in_use: Side | None, moved: list[Any]) -> list[str]:
    if in_use is None:
        return ["No version is in use, so there is no baseline to compare with."]
    if not moved:
        return [f"The baselines of version {in_use.version} and of this one do not differ."]
    return [
        f"Largest differences of the two baselines ({min(LARGEST, len(moved))} of {len(moved)} columns that moved):",
        "",
        "| column | version in use | this one | distance |",
        "|---|---|---|---|",
        *[
            f"| {item.feature} | {item.in_use} | {item.candidate} | "
            f"{'a column came or went' if item.distance >= 1e9 else f'{item.distance:.3f}'} |"
            for item in moved[:LARGEST]
        ],
        "",
        "Distance: of means in standard deviations, of categories as total variation.",
    ]


def _calibration(candidate: Side, in_use: Side | None) -> list[str]:
    lines = reliability(candidate, in_use)
    return ["", "Calibration: of the rows with such a score, how many were positive.", "", *lines] if lines else []


def _section(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _linked(url: str) -> str:
    return f"[{url}]({url})" if url.startswith("http") else f"`{url}`"
