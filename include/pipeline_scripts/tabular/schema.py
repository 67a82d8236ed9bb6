"""The feature schema: which columns a model knows, and how a record becomes numbers.

It is learned once from the training data, registered with the model, and applied to every batch, so that a model's
columns never depend on which values a day happens to hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tabular.job import InputError

VERSION = 1
BINARY, REGRESSION = "binary_classification", "regression"
UNKNOWN = "<unknown>"
# What Model Monitor calls Integral and Fractional (its types come from the raw text, by these expressions).
INTEGRAL = re.compile(r"[-+]? ?\d+", re.ASCII)
FRACTIONAL = re.compile(r"[-+]? ?\d+(?:\.\d+|(?:\.\d+)?[Ee][-+]?\d+)", re.ASCII)
CATEGORY_LIMIT = 500


def is_integral(cell: str) -> bool:
    """Whether the text is a whole number."""
    return INTEGRAL.fullmatch(cell) is not None


def is_number(cell: str) -> bool:
    """Whether the text is a number; .5, 1., nan and inf are texts to Model Monitor and so to us."""
    return is_integral(cell) or FRACTIONAL.fullmatch(cell) is not None


@dataclass(frozen=True)
class Feature:
    """One monitored column: numeric (dtype int or float), or categorical with its categories in order."""

    name: str
    kind: str
    dtype: str
    categories: list[str] = field(default_factory=list)

    def encoded(self) -> list[str]:
        """Names of the model's columns that this one becomes."""
        if self.kind == "numeric":
            return [self.name]
        return [f"{self.name}={category}" for category in [*self.categories, UNKNOWN]]


@dataclass(frozen=True)
class FeatureSchema:
    """What a model knows about its input; `features` stand in the order of the model's columns."""

    use_case: str
    record_id: str
    label: str
    positive: str | None
    delimiter: str
    features: list[Feature]
    ignored: list[str]
    sensitive: list[str]
    rows: dict[str, int]
    problem: str = BINARY

    def monitored(self) -> list[str]:
        """Names of the columns that the monitor sees."""
        return [feature.name for feature in self.features]

    def to_json(self) -> dict[str, Any]:
        """Return it in the shape of docs/contracts/feature_schema.schema.json."""
        body = asdict(self)
        body["label"] = {"name": body["label"], "positive": body.pop("positive")}
        return {
            "version": VERSION,
            **body,
            "encoded": [name for feature in self.features for name in feature.encoded()],
        }

    def write(self, path: Path) -> None:
        """Write it as JSON, the same bytes for the same schema."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def read_schema(path: Path) -> FeatureSchema:
    """Read a schema.

    Raises:
        InputError: it is not there, damaged, or of a version that these scripts do not know.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        version = body.pop("version")
        if version != VERSION:
            raise InputError(f"{path.name} has version {version}, these scripts know version {VERSION}. Train again.")
        encoded, label = body.pop("encoded"), body.pop("label")
        features = [Feature(**feature) for feature in body.pop("features")]
        schema = FeatureSchema(label=label["name"], positive=label["positive"], features=features, **body)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"The model's {path.name} cannot be read ({error}). Train again, or pin another version."
        ) from error
    if encoded != schema.to_json()["encoded"]:
        raise InputError(
            f"The model's {path.name} contradicts itself: its encoded columns do not follow from its features."
        )
    return schema


class Profile:
    """Learns a column from the texts of its cells."""

    def __init__(self, name: str, *, categorical: bool) -> None:
        self.name = name
        self.categorical = categorical
        self.numeric = True
        self.integral = True
        self.present = 0
        self.values: set[str] = set()
        self.too_many = False

    def see(self, cell: str) -> None:
        """Take one cell into account; an empty one is missing."""
        if not cell:
            return
        self.present += 1
        if self.numeric and not is_number(cell):
            self.numeric = False
        if self.integral and not is_integral(cell):
            self.integral = False
        if not self.too_many:
            self.values.add(cell)
            self.too_many = len(self.values) > CATEGORY_LIMIT

    def feature(self) -> Feature:
        """Return what was learned.

        Raises:
            InputError: the column is empty, or has more categories than one-hot columns make sense for.
        """
        if not self.present:
            raise InputError(
                f"The training data's column {self.name!r} is empty. List it under data.ignore, or fill it."
            )
        if self.numeric and not self.categorical:
            return Feature(self.name, "numeric", "int" if self.integral else "float")
        if self.too_many:
            raise InputError(
                f"The training data's column {self.name!r} holds more than {CATEGORY_LIMIT} different texts: it looks "
                "like an identifier or free text. List it under data.ignore of the use case."
            )
        return Feature(self.name, "categorical", "str", sorted(self.values))


class Encoder:
    """Turns records into the model's numbers, as text: one-hot 0 and 1, `nan` for a missing number."""

    def __init__(self, schema: FeatureSchema, header: Sequence[str]) -> None:
        self.columns = [
            (feature, header.index(feature.name), {name: place for place, name in enumerate(feature.categories)})
            for feature in schema.features
        ]
        self.unknown: dict[str, int] = {}
        # Column -> (how many cells, first line): texts where numbers belong.
        self.texts: dict[str, tuple[int, int]] = {}

    def encode(self, row: Sequence[str], line: int) -> list[str]:
        """Return the features of a record; unknown categories and texts in numbers are counted."""
        numbers: list[str] = []
        for feature, place, categories in self.columns:
            cell = row[place]
            if feature.kind == "numeric":
                numbers.append(self._number(feature.name, cell, line))
                continue
            one_hot = ["0"] * (len(categories) + 1)
            if cell:
                known = categories.get(cell)
                if known is None:
                    self.unknown[feature.name] = self.unknown.get(feature.name, 0) + 1
                one_hot[-1 if known is None else known] = "1"
            numbers += one_hot
        return numbers

    def _number(self, name: str, cell: str, line: int) -> str:
        if not cell:
            return "nan"
        if not is_number(cell):
            count, first = self.texts.get(name, (0, line))
            self.texts[name] = (count + 1, first)
            return "nan"
        return cell.replace(" ", "")


def reasons_of_header(schema: FeatureSchema, header: Iterable[str]) -> list[str]:
    """Say how a batch's columns differ from the model's; order does not matter."""
    names = list(header)
    known = {*schema.monitored(), schema.record_id, *schema.ignored}
    reasons = [f"column {name!r} is missing" for name in schema.monitored() if name not in names]
    for name in names:
        if name == schema.label:
            reasons.append(f"column {name!r} is the label that the model predicts; a batch must not carry it")
        elif name not in known:
            reasons.append(f"column {name!r} is unknown to the model")
    return reasons
