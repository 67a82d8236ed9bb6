"""The report of a batch run: verdict and why, rows, model, scores, features against their baselines. Pure."""

import itertools
import re
import statistics
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sagemaker_batch import cost
from sagemaker_batch.names import held_dag
from sagemaker_batch.report import charts, figures, marks, page
from sagemaker_batch.report.charts import Steps
from sagemaker_batch.report.features import Feature, Side
from sagemaker_batch.report.markup import Html, join, named, tag
from sagemaker_batch.report.scores import ScoreCounts

CARDS = 200
CHECKS = {
    "missing_column_check": "missing column",
    "extra_column_check": "extra column",
    "data_type_check": "wrong type",
    "baseline_drift_check": "drift",
    "completeness_check": "null values",
    "categorical_values_check": "unknown values",
}

JUDGES = {
    "violations": "AWS\u2019s rule: Model Monitor\u2019s violations",
    "drift_report": "the corrected distances: drift_report.json (a broken schema: by AWS\u2019s rule)",
}


@dataclass(frozen=True)
class RunFacts:
    """Everything that a run's report shows.

    `record` is the verdict record; `rows_out` None where there are no predictions; `earlier` the score counts of the
    days before, oldest first; `links` are pairs of words and address (empty address: shown as text alone).
    """

    record: dict[str, Any]
    features: list[Feature]
    today_scores: ScoreCounts | None
    training_scores: ScoreCounts | None
    earlier: list[list[int]]
    rows_out: int | None
    approval: dict[str, str]
    zone: str
    dag_id: str
    baseline_rows: int | None = None
    notes: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)


def render(facts: RunFacts) -> str:
    """Return the report as one HTML file."""
    record = facts.record
    title = f"{record['use_case']}, {record['batch_day']}: {record['verdict']}"
    return page.document(title, body(facts))


def body(facts: RunFacts) -> Html:
    """Return the report without its frame."""
    violated = [item for item in facts.features if item.violations]
    quiet = [item for item in facts.features if not item.violations]
    return join(
        [
            _head(facts),
            _figures(facts),
            _next(facts),
            _scores(facts),
            _violated(violated, facts.record),
            _quiet(quiet + violated[CARDS:]),
            _about(facts),
        ]
    )


def _head(facts: RunFacts) -> Html:
    record, mark = facts.record, marks.BY_VERDICT[facts.record["verdict"]]
    day = date.fromisoformat(record["batch_day"])
    return tag(
        "header",
        tag("p", named(record["use_case"]), " \u00b7 batch report", class_="over"),
        tag("h1", figures.day(day), " ", marks.badge(mark)),
        tag("p", mark.meaning, class_="lead"),
        tag("h2", "Why", class_="hidden"),
        tag("ul", [tag("li", reason) for reason in record["reasons"]], class_="reasons"),
        [tag("p", "Not drawn: ", note, class_="note") for note in facts.notes],
    )


def _figures(facts: RunFacts) -> Html:
    record, model = facts.record, facts.record["model"]
    violated = len(record["violated_features"])
    approved_by, approved_at = facts.approval.get("by", ""), facts.approval.get("at") or model["approved_at"]
    unknown = sum(record["unknown_categories"].values())
    rows_out = figures.count(facts.rows_out) if facts.rows_out is not None else "none"
    agree = "every row has a score" if facts.rows_out == record["rows_in"] else "rows in and out differ"
    version = f"version {model['version']}" if model.get("version") is not None else figures.NONE
    return page.facts(
        [
            ("Rows in", figures.count(record["rows_in"]), f"{figures.count(record['rows_scorable'])} scorable"),
            ("Rows out", rows_out, agree if facts.rows_out is not None else "the day was not scored"),
            (
                "Features violated",
                f"{violated:,} of {record['monitored_features']:,}",
                f"{figures.percent(record['share'])} of those monitored",
            ),
            ("Unknown values", figures.count(unknown), "cells scored as unknown"),
            ("Model", version, f"chosen by policy {model['policy']}"),
            (
                "Approved",
                figures.moment(approved_at, facts.zone),
                f"by {approved_by}" if approved_by else facts.approval.get("status", ""),
            ),
            *_cost(record.get("cost")),
        ]
    )


def _cost(spent: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    if spent is None:
        return []
    return [("Cost, estimated", cost.words(spent), f"{spent['instance_seconds']:,.0f} seconds of machines")]


def _next(facts: RunFacts) -> Html | None:
    record = facts.record
    if record["verdict"] not in {"held", "failed"}:
        return None
    day = record["batch_day"]
    again = f'airflow dags trigger {facts.dag_id} --conf \'{{"batch_day": "{day}"}}\''
    ways = (
        [
            "If the data is wrong: have it sent again, then run the day again with the command below.",
            "If the world has changed: train on newer data, approve the version, then run the day again.",
            f"To use the predictions as they are, or never: trigger {held_dag(record['use_case'])} with your reason.",
            "Until then consumers of the day see what was published before, if anything.",
        ]
        if record["verdict"] == "held"
        else [
            "Read the reasons above and the log of the run's failed task; most failures name what to type.",
            "When the cause is gone, run the day again with the command below.",
        ]
    )
    return tag(
        "section",
        tag("h2", "What to do"),
        tag("ol", [tag("li", way) for way in ways]),
        tag("pre", again, tabindex="0"),
        class_="todo",
    )


def _scores(facts: RunFacts) -> Html | None:
    today, training = facts.today_scores, facts.training_scores
    if today is None or not today.count:
        return None
    bins = today.edges
    now = Steps(bins, charts.shares(today.counts))
    then = Steps(bins, charts.shares(training.counts if training else [0] * len(today.counts)))
    before = [charts.shares(counts) for counts in facts.earlier if sum(counts)]
    band = [(min(column), max(column)) for column in zip(*before, strict=True)]
    means = _means(facts.earlier, bins)
    said = f"Scores of {today.count:,} records, mean {figures.number(today.mean, 3)} today"
    parts = [("Today", today.mean, f"{today.count:,} records")]
    if training and training.count:
        parts.append(("Training (test rows)", training.mean, f"{training.count:,} records"))
        said += f", {figures.number(training.mean, 3)} in training"
    if means:
        span = (
            f"{len(means)} earlier days, daily means {figures.number(min(means), 3)} to {figures.number(max(means), 3)}"
        )
        parts.append(("Last 30 days", statistics.fmean(means), span))
        said += f", {figures.number(statistics.fmean(means), 3)} over {len(means)} earlier days"
    key = [tag("li", tag("i", class_=f"key {style}"), word) for style, word in _score_key(training, before)]
    return tag(
        "section",
        tag("h2", "Scores"),
        tag("p", "Share of records by what the model predicts.", class_="muted"),
        charts.scores(now, then, band, said + "."),
        tag("ul", key, class_="keys"),
        page.facts([(label, f"mean {figures.number(mean, 3)}", below) for label, mean, below in parts]),
        tag("p", f"{today.outside:,} predictions lie outside of the plot or are no number.", class_="note")
        if today.outside
        else None,
    )


def _score_key(training: ScoreCounts | None, before: list[list[float]]) -> list[tuple[str, str]]:
    keys = [("today", "today")]
    if training and training.count:
        keys.append(("baseline", "training"))
    if before:
        keys.append(("band", f"lowest to highest of {len(before)} earlier days"))
    return keys


def _means(earlier: list[list[int]], bins: list[float]) -> list[float]:
    middles = [(low + high) / 2 for low, high in itertools.pairwise(bins)]
    return [
        sum(part * middle for part, middle in zip(charts.shares(counts), middles, strict=True))
        for counts in earlier
        if sum(counts)
    ]


def _violated(violated: list[Feature], record: dict[str, Any]) -> Html:
    if not violated:
        said = (
            "No feature violates its constraints."
            if record["verdict"] in {"clean", "warned", "held"}
            else "There is no report on the features of this day."
        )
        return tag("section", tag("h2", "Violations"), tag("p", said))
    cards = [_card(place, item) for place, item in enumerate(violated[:CARDS], start=1)]
    return tag(
        "section",
        tag("h2", f"Violations, worst first ({len(violated):,})"),
        tag(
            "ul",
            tag("li", tag("i", class_="key today"), "today"),
            tag("li", tag("i", class_="key baseline"), "baseline (training)"),
            class_="keys",
        ),
        tag("ol", cards, class_="cards"),
    )


def _card(place: int, item: Feature) -> Html:
    kinds = [tag("span", CHECKS[check], class_="kind") for check, _ in item.violations]
    return tag(
        "li",
        tag("h3", tag("span", f"{place}. ", class_="muted"), named(item.name), " ", join(kinds)),
        _picture(item),
        _moments(item),
        tag(
            "div",
            tag(
                "div",
                tag("h4", "AWS\u2019s rule"),
                [tag("p", _shortened(description)) for _, description in item.rule] or tag("p", "\u2713 holds"),
            ),
            tag("div", tag("h4", "Corrected distance"), _corrected(item)),
            class_="beside",
        ),
        class_="card",
    )


def _picture(item: Feature) -> Html:
    if item.sensitive:
        return tag("p", "Sensitive: values are withheld; distances and shares are shown.", class_="note")
    before, now = item.baseline, item.today
    if before.categories or now.categories:
        return charts.categories(before.categories, now.categories)
    if before.steps.empty and now.steps.empty:
        return Html("")
    said = f"{item.name}: {_range(before, 'baseline')}; {_range(now, 'today')}."
    return charts.overlay(before.steps, now.steps, said)


def _range(given: Side, when: str) -> str:
    if given.low is None:
        return f"no distribution {when}"
    return f"{when} {figures.number(given.low)} to {figures.number(given.high)}, mean {figures.number(given.mean)}"


def _moments(item: Feature) -> Html:
    rows = [
        ("Type", item.baseline.kind or figures.NONE, item.today.kind or figures.NONE),
        ("Null values", figures.percent(item.baseline.null_share), figures.percent(item.today.null_share)),
    ]
    if not item.sensitive:
        for label, name in (
            ("Mean", "mean"),
            ("Standard deviation", "std_dev"),
            ("Least", "low"),
            ("Greatest", "high"),
        ):
            before, now = getattr(item.baseline, name), getattr(item.today, name)
            if before is not None or now is not None:
                rows.append((label, figures.number(before), figures.number(now)))
        if item.baseline.categories or item.today.categories:
            rows.append(("Distinct values", figures.count(item.baseline.distinct), figures.count(item.today.distinct)))
    head = tag("tr", [tag("th", word, scope="col") for word in ("Figure", "Baseline", "Today")])
    cells = [
        tag("tr", tag("th", label, scope="row"), tag("td", before, class_="n"), tag("td", now, class_="n"))
        for label, before, now in rows
    ]
    return tag("table", tag("thead", head), tag("tbody", cells), class_="moments")


def _corrected(item: Feature) -> Html:
    if item.flagged is not None:
        return _flagged(item)
    if item.distance is None:
        return tag("p", "Not measured: there is no drift report for this feature.", class_="muted")
    said = "drift" if item.drifts else "no drift"
    words = f"{said}: {figures.distance(item.distance)} against a threshold of {figures.number(item.threshold)}"
    notes = [item.measure]
    if item.p_value is not None:
        notes.append(figures.probability(item.p_value))
    if item.psi is not None:
        notes.append(f"PSI {figures.distance(item.psi)}")
    differ = None
    if item.drift_violated and item.drifts is False:
        differ = tag("p", "The two differ: measured with true weights, the feature stands.", class_="note")
    return join([tag("p", words), tag("p", ", ".join(notes), class_="muted"), differ])


def _flagged(item: Feature) -> Html:
    """Return what the drift report found, where it is what judged the day."""
    found = [tag("p", _shortened(said.removeprefix("drift_report.json: "))) for _, said in item.flagged or []]
    notes = [item.measure] if item.measure else []
    if item.psi is not None:
        notes.append(f"PSI {figures.distance(item.psi)}")
    return join([*(found or [tag("p", "\u2713 holds")]), tag("p", ", ".join(notes), class_="muted")])


def _quiet(features: list[Feature]) -> Html | None:
    if not features:
        return None
    rows = []
    for item in features:
        drawn = Html("") if item.sensitive else charts.small(item.baseline.steps, item.today.steps)
        rule = "violated" if item.rule else "\u2713 holds"
        if item.drifts:
            rule = join([rule, " ", tag("span", "the corrected distance says drift", class_="kind")])
        rows.append(
            [
                named(item.name, 60),
                item.today.kind or item.baseline.kind,
                drawn,
                _pair(item),
                f"{figures.percent(item.baseline.null_share)} \u2192 {figures.percent(item.today.null_share)}",
                rule,
                figures.distance(item.distance),
                figures.distance(item.psi),
            ]
        )
    return tag(
        "section",
        tag("h2", f"Features that hold ({len(features):,})"),
        page.table(
            [
                "Feature", "Type", "Distribution", "Mean, baseline \u2192 today", "Null values", "AWS\u2019s rule",
                "Corrected distance", "PSI",
            ],
            rows,
            "Features without a violation",
            ["", "", "", "n", "n", "", "n", "n"],
        ),
    )  # fmt: skip


def _pair(item: Feature) -> str:
    if item.sensitive:
        return "withheld"
    if item.baseline.mean is None and item.today.mean is None:
        return f"{figures.count(item.today.distinct)} distinct" if item.today.distinct is not None else figures.NONE
    return f"{figures.number(item.baseline.mean)} \u2192 {figures.number(item.today.mean)}"


def _about(facts: RunFacts) -> Html:
    record, run = facts.record, facts.record["run"]
    inputs = [f"{item['key'].rsplit('/', 1)[-1]} ({figures.count(item['size'], 'bytes')})" for item in record["inputs"]]
    rows: list[tuple[str, Any]] = [
        ("Decided", figures.moment(record["decided_at"], facts.zone)),
        ("Judged by", JUDGES[record.get("judged_by", "violations")]),
        ("Run", f"{run['run_id']} ({run['run_type']}), started by {run['triggered_by']}"),
        ("Execution", f"{record['execution']['arn'].rsplit('/', 1)[-1]} ({record['execution']['status']})"),
        ("Model package", record["model"]["arn"]),
        ("Input", tag("ul", [tag("li", tag("bdi", item)) for item in inputs])),
        ("Baseline", figures.count(facts.baseline_rows, "rows")),
    ]
    opened = [
        tag("li", tag("a", words, href=address, class_="up") if address else words) for words, address in facts.links
    ]
    return tag(
        "section",
        tag("h2", "Where it comes from"),
        tag("dl", [[tag("dt", label), tag("dd", value)] for label, value in rows], class_="about"),
        tag("ul", opened, class_="links") if opened else None,
    )


def _shortened(description: str) -> Html:
    """Cut what has more digits than anyone reads, as AWS's descriptions do."""
    return named(re.sub(r"\d+\.\d{5,}", lambda found: f"{float(found[0]):.4g}", description), 400)
