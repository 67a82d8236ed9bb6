"""What a day can be, each with a sign and a word, so that nothing depends on seeing colours."""

from dataclasses import dataclass

from sagemaker_batch.report.markup import Html, tag


@dataclass(frozen=True)
class Mark:
    """A state of a day: style class, sign, word, and what it means in a sentence."""

    style: str
    sign: str
    word: str
    meaning: str


PUBLISHED = Mark("clean", "\u2713", "published", "No constraint is violated; the predictions are published.")
WARNED = Mark("warned", "!", "warned", "Some features drift; the predictions are published all the same.")
RELEASED = Mark("warned", "\u2197", "released", "It was held, and a person published it all the same.")
HELD = Mark("held", "\u25a0", "held", "Too much has changed: the predictions are kept back.")
DISCARDED = Mark("missing", "\u2014", "discarded", "It was held, and a person decided that it is not published.")
FAILED = Mark("failed", "\u2715", "failed", "There is no verdict, or its consequence failed; nothing is published.")
RUNNING = Mark("running", "\u25b6", "running", "A run of this day is at work or waits.")
MISSING = Mark("missing", "?", "missing", "The day was never scored.")
ALL = (PUBLISHED, WARNED, RELEASED, HELD, DISCARDED, FAILED, RUNNING, MISSING)
BY_VERDICT = {"clean": PUBLISHED, "warned": WARNED, "held": HELD, "failed": FAILED}


def badge(mark: Mark) -> Html:
    """Return sign and word."""
    return tag("span", tag("span", mark.sign, aria_hidden="true"), " ", mark.word, class_=f"badge v-{mark.style}")


def legend() -> Html:
    """Return what the signs of a calendar mean."""
    return tag(
        "ul", [tag("li", badge(mark), " ", tag("span", mark.meaning, class_="muted")) for mark in ALL], class_="legend"
    )
