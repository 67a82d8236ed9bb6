"""The words of an alert: what happened, how bad, the top features, what was done, and links. Pure."""

from typing import Any

from sagemaker_batch import events
from sagemaker_batch.alerts import Alert
from sagemaker_batch.names import quality_dag

DONE = {
    "publish": "The predictions are published; look at the features before you rely on them.",
    "hold": "The predictions are held: consumers keep what was published before, if anything.",
}


def verdict_alert(use_case: str, dag_id: str, record: dict[str, Any], links: dict[str, str]) -> Alert:
    """Alert on a judged day; `record` is the verdict record."""
    day, verdict, severity = record["batch_day"], record["verdict"], record["severity"]
    lines = [
        f"{use_case}, batch day {day}: {verdict} (severity {severity}).",
        "",
        "What happened:",
        *[f"  - {reason}" for reason in record["reasons"]],
        "",
        "What was done:",
        f"  {DONE[record['action']]}",
    ]
    if record["top_features"]:
        lines += ["", "Top features (baseline -> today):"]
        for item in record["top_features"]:
            lines.append(f"  {item['feature']} ({', '.join(item['checks'])}): {item['baseline']} -> {item['today']}")
            lines.append(f"    {item['description']}")
    lines += ["", f"Model: version {record['model']['version']} ({record['model']['arn']})", *_links(links)]
    return Alert(
        use_case=use_case,
        event=events.of_verdict(record),
        severity=severity,
        subject=f"[{severity}] {use_case} {day}: {verdict}",
        body="\n".join(lines),
        identity=(dag_id, day, events.of_verdict(record), verdict),
        about=day,
        attributes={
            "batch_day": day,
            "verdict": verdict,
            "dag_id": dag_id,
            "execution_arn": record["execution"]["arn"],
        },
    )


def failure_alert(  # noqa: PLR0917 - a boundary with many parts
    use_case: str,
    dag_id: str,
    run_id: str,
    day: str,
    task_id: str,
    what: str,
    links: dict[str, str],
    event: str = "dag_failed",
    done: str = "Nothing was published by this run.",
) -> Alert:
    """Alert on a run that failed: about its batch day, or about the run itself where it has none."""
    about, severity = f", batch day {day}" if day else "", events.SEVERITY[event]
    lines = [
        f"{use_case}{about}: failed (severity {severity}).",
        "",
        "What happened:",
        f"  {f'Task {task_id} of ' if task_id else ''}DAG {dag_id}, run {run_id}, failed:",
        *[f"  {line}" for line in what.splitlines()],
        "",
        "What was done:",
        f"  {done}",
        *_links(links),
    ]
    subject = day or run_id
    # That a message got lost, or a task is repeated, says nothing of the day: it must not look like another verdict.
    told = {"alert_undelivered": f"{subject} messages", "task_retried": f"{run_id} {task_id} retried"}.get(
        event, subject
    )
    ended = "failed and is repeated" if event == "task_retried" else "failed"
    return Alert(
        use_case=use_case,
        event=event,
        severity=severity,
        subject=f"[{severity}] {use_case}{' ' + day if day else ''}: {task_id or dag_id} {ended}",
        body="\n".join(lines),
        identity=(dag_id, told, event, "failed"),
        attributes={"batch_day": day, "verdict": "failed", "dag_id": dag_id},
        about=told,
    )


def recovered_alert(  # noqa: PLR0917 - a boundary with many parts
    use_case: str, dag_id: str, day: str, event: str, verdict: str, done: str, links: dict[str, str]
) -> Alert:
    """Say that a day people were told of has ended better: under the event that had told of it."""
    lines = [f"{use_case}, batch day {day}: {verdict}.", "", "What was done:", f"  {done}", *_links(links)]
    return Alert(
        use_case=use_case,
        event=event,
        severity=events.SEVERITY[event],
        subject=f"{use_case} {day}: {verdict}",
        body="\n".join(lines),
        identity=(dag_id, day, event, verdict),
        attributes={"batch_day": day, "verdict": verdict, "dag_id": dag_id},
        about=day,
    )


def quality_alert(use_case: str, dag_id: str, record: dict[str, Any], links: dict[str, str]) -> Alert:
    """Alert on a model that is worse than its baseline; `record` is the quality record."""
    day, labels, rolling = record["batch_day"], record["labels"], record["rolling"]
    usable = f"{labels['matched']:,} of {labels['predictions']:,} published predictions"
    done = (
        "The predictions stay published, and the version in use goes on scoring. Where the use case asks for it, a new "
        "model is requested."
    )
    lines = [
        f"{use_case}, batch day {day}: model quality has dropped (severity {record['severity']}).",
        "",
        "What happened:",
        *[f"  - {reason}" for reason in record["reasons"]],
        f"  {usable} have a usable label.",
        "",
        f"Metrics (baseline -> this day; over the last {rolling['days']} day(s) of the same version):",
    ]
    for name in record["judged_by"]:
        item, over = record["metrics"][name], rolling["metrics"].get(name)
        lines.append(f"  {name}: {_figure(item['baseline'])} -> {_figure(item['value'])}; {_figure(over)}")
    lines += [
        "",
        "What was done:",
        f"  {done}",
        "",
        f"Model: version {record['model_package_version']} ({record['model_package_arn']})",
        *_links(links),
    ]
    return Alert(
        use_case=use_case,
        event="quality_dropped",
        severity=record["severity"],
        subject=f"[{record['severity']}] {use_case} {day}: model quality has dropped",
        body="\n".join(lines),
        identity=(dag_id, day, "quality_dropped", record["verdict"]),
        attributes={
            "batch_day": day,
            "verdict": record["verdict"],
            "dag_id": dag_id,
            "execution_arn": record["execution"]["arn"],
        },
        about=day,
    )


def missing_alert(use_case: str, dag_id: str, day: str, links: dict[str, str]) -> Alert:
    """Alert on a day that should have a verdict by now and has none, and of which no run has told."""
    lines = [
        f"{use_case}, batch day {day}: no verdict (severity error).",
        "",
        "What happened:",
        f"  The day is over, its input's deadline too, and no run of {dag_id} has left a verdict or told of a failure.",
        "  Is the DAG paused, its run queued or stuck, or the scheduler down?",
        "",
        "What was done:",
        "  Nothing was published.",
        *_links(links),
    ]
    return Alert(
        use_case=use_case,
        event="batch_late",
        severity="error",
        subject=f"[error] {use_case} {day}: no verdict",
        body="\n".join(lines),
        identity=(dag_id, day, "batch_late", "failed"),
        attributes={"batch_day": day, "verdict": "failed", "dag_id": dag_id},
        about=day,
    )


def approval_alert(  # noqa: PLR0917 - a boundary with many parts
    use_case: str, dag_id: str, run_id: str, review: dict[str, Any], how: str, links: dict[str, str]
) -> Alert:
    """Alert on a version that waits for a person."""
    said = [f"  {name}: {value:.4f}{_against(review, name)}" for name, value in review["figures"].items()]
    lines = [
        f"{use_case}: version {review['version']} waits for approval (severity warning).",
        "",
        "What happened:",
        f"  It was trained because: {review['reason']}",
        *([f"  {review['why']}"] if review["why"] else []),
        "",
        "Evaluation:",
        *said,
        "",
        "What was done:",
        f"  {how}",
        "  The daily runs go on with the version in use, if there is one.",
        *_links(links),
    ]
    about = f"version {review['version']}"
    return Alert(
        use_case=use_case,
        event="approval_waiting",
        severity="warning",
        subject=f"[warning] {use_case}: version {review['version']} waits for approval",
        body="\n".join(lines),
        identity=(dag_id, about, "approval_waiting", "pending"),
        attributes={"verdict": "pending", "dag_id": dag_id, "run_id": run_id, "model_package_arn": review["arn"]},
        about=about,
    )


def digest_alert(use_case: str, dag_id: str, covered: dict[str, dict[str, Any]]) -> Alert:
    """One message on a whole backfill, a line or two for each day; `covered` is entries by their S3 key."""
    entries = sorted(covered.values(), key=lambda item: (item["batch_day"], item["run_id"]))
    counts: dict[str, int] = {}
    lines = []
    for item in entries:
        counts[item["verdict"]] = counts.get(item["verdict"], 0) + 1
        model = f", model version {item['model_version']}" if item.get("model_version") else ""
        rows = f", {item['rows']} rows" if item.get("rows") is not None else ""
        lines.append(f"  {item['batch_day'] or 'no batch day'}: {item['verdict']}{model}{rows}, {item['done']}")
        lines += [f"    {reason}" for reason in item["reasons"][:3]]
        if item["features"]:
            lines.append(f"    top features: {', '.join(item['features'])}")
    said = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))
    severities = {item["severity"] for item in entries}
    worst = next((name for name in ("error", "critical", "warning") if name in severities), "none")
    days = [item["batch_day"] for item in entries if item["batch_day"]]
    what = f"backfill of {len(entries)} day(s){' of model quality' if dag_id == quality_dag(use_case) else ''}"
    return Alert(
        use_case=use_case,
        event="digest",
        severity=worst,
        subject=f"[digest] {use_case}: {what}: {said}",
        body="\n".join([f"{use_case}: a {what} has ended: {said}.", "", *lines]),
        identity=(dag_id, "digest", *sorted(covered)),
        attributes={"dag_id": dag_id, "batch_days": ",".join(days)[:256], "batch_day": days[0] if days else ""},
        covers=sorted(covered),
    )


def _links(links: dict[str, str]) -> list[str]:
    shown = [f"  {name}: {url}" for name, url in links.items() if url]
    return ["", "Links:", *shown] if shown else []


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def _against(review: dict[str, Any], name: str) -> str:
    theirs = review["in_use_figures"].get(name)
    return f" (version {review['in_use_version']} in use: {theirs:.4f})" if theirs is not None else ""
