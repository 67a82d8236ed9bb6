"""The built-in XGBoost as a program: from channels and hyperparameters to a model, or one clear failure."""

from __future__ import annotations

import io
import json
import random
import re
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagemaker_local.runtimes import failure, hyperparameters, xgboost_training
from sagemaker_local.runtimes.failure import UserError
from sagemaker_local.runtimes.lean import import_xgboost

BINARY = {
    "num_round": "20",
    "objective": "binary:logistic",
    "eval_metric": "logloss,auc",
    "max_depth": "3",
    "seed": "1",
}


class Workshop:
    """The directory of one training job."""

    def __init__(self, ml: Path) -> None:
        self.ml = ml

    def start(
        self, channels: dict[str, Any], given: dict[str, str], kind: str, hosts: int = 1, sharing: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the program in this process: starting Python and XGBoost anew is most of what a small job costs."""
        config = self.ml / "input/config"
        config.mkdir(parents=True)
        (config / "hyperparameters.json").write_text(json.dumps(given))
        (config / "inputdataconfig.json").write_text(
            json.dumps(
                {
                    name: {"TrainingInputMode": "File", "ContentType": kind, "S3DistributionType": sharing}
                    for name in channels
                }
            )
        )
        names = [f"algo-{number}" for number in range(1, hosts + 1)]
        (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": names}))
        for name, files in channels.items():
            directory = self.ml / "input/data" / name
            directory.mkdir(parents=True)
            for file, text in files.items():
                (directory / file).write_text(text)
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
            code = failure.run(self.ml, xgboost_training.train)
        return subprocess.CompletedProcess([], code, out.getvalue(), errors.getvalue())

    def run(
        self, channels: dict[str, Any], given: dict[str, str] = BINARY, kind: str = "text/csv", **sharing: Any
    ) -> str:
        done = self.start(channels, given, kind, **sharing)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fail(self, channels: dict[str, Any], given: dict[str, str] = BINARY, kind: str = "text/csv") -> str:
        done = self.start(channels, given, kind)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert not (self.ml / "model/xgboost-model").exists()
        return (self.ml / "output/failure").read_text()

    def booster(self) -> Any:
        booster = import_xgboost().Booster()
        # From bytes: the name has no suffix, and XGBoost warns that it guesses the format.
        booster.load_model(bytearray((self.ml / "model/xgboost-model").read_bytes()))
        return booster


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path / "ml")


def rows(count: int, seed: int, classes: int = 2) -> list[list[float]]:
    """Labels that the first two of four features decide, with some noise."""
    source = random.Random(seed)  # noqa: S311 - data, no secret
    found = []
    for _ in range(count):
        features = [round(source.random(), 4) for _ in range(4)]
        signal = (features[0] + features[1]) / 2 + source.gauss(0, 0.05)
        found.append([float(min(max(int(signal * classes), 0), classes - 1)), *features])
    return found


def text(table: list[list[float]], delimiter: str = ",") -> str:
    return "".join(delimiter.join(f"{value:g}" for value in row) + "\n" for row in table)


def test_a_model_is_trained_that_knows_the_signal(workshop):
    """The validation AUC is far above chance, and the saved model gives it again."""
    data = rows(300, 2)
    log = workshop.run({"train": {"a.csv": text(rows(900, 1))}, "validation": {"b.csv": text(data)}})
    last = next(line for line in log.splitlines() if line.startswith("[19]"))
    match = re.fullmatch(
        r"\[19\]#011train-logloss:[\d.]+#011train-auc:[\d.]+#011validation-logloss:[\d.]+#011validation-auc:([\d.]+)",
        last,
    )
    assert match is not None, last
    assert float(match[1]) > 0.9
    scores = workshop.booster().predict(import_xgboost().DMatrix(np.array(data)[:, 1:]))
    labels = np.array(data)[:, 0]
    pairs = scores[labels == 1][:, None] > scores[labels == 0][None, :]
    assert pairs.mean() == pytest.approx(float(match[1]), abs=0.01)


def test_the_model_loads_from_bytes_too(workshop):
    """It is JSON, whose format no version has to guess from a name."""
    workshop.run({"train": {"a.csv": text(rows(200, 1))}})
    raw = (workshop.ml / "model/xgboost-model").read_bytes()
    assert json.loads(raw)["version"]
    booster = import_xgboost().Booster()
    booster.load_model(bytearray(raw))
    assert booster.num_boosted_rounds() == 20


def test_early_stopping_keeps_the_best_round(workshop):
    """Training ends so many rounds after the best one, which is the model's last."""
    given = {**BINARY, "num_round": "500", "early_stopping_rounds": "5", "eval_metric": "logloss", "eta": "0.5"}
    log = workshop.run({"train": {"a.csv": text(rows(300, 1))}, "validation": {"b.csv": text(rows(300, 2))}}, given)
    history = [float(value) for value in re.findall(r"validation-logloss:([\d.]+)", log)]
    rounds = workshop.booster().num_boosted_rounds()
    assert rounds < len(history) < 500
    assert len(history) == rounds + 5
    assert history[rounds - 1] == min(history)


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        ({"objective": "multi:softprob", "num_class": "3", "eval_metric": "mlogloss,merror"}, 3),
        ({"objective": "multi:softmax", "num_class": "3"}, 3),
        ({"objective": "reg:squarederror", "eval_metric": "rmse,mae"}, 5),
        ({"objective": "reg:linear"}, 5),
        ({"objective": "binary:hinge"}, 2),
        ({"objective": "count:poisson"}, 4),
        ({"booster": "gblinear", "objective": "binary:logistic", "early_stopping_rounds": "3"}, 2),
        ({"booster": "dart", "rate_drop": "0.1", "objective": "binary:logistic"}, 2),
        ({"tree_method": "hist", "monotone_constraints": "(1,1,0,0)", "interaction_constraints": "[[0,1],[2,3]]"}, 2),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_objectives_and_boosters_train(workshop, given, classes):
    """Each names its metrics in the log and leaves a model of four features."""
    data = {"train": {"a.csv": text(rows(200, 1, classes))}, "validation": {"b.csv": text(rows(100, 2, classes))}}
    log = workshop.run(data, {"num_round": "5", **given})
    for metric in given.get("eval_metric", "").split(","):
        assert f"validation-{metric}" in log
    assert workshop.booster().num_features() == 4


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", " "])
def test_the_delimiter_is_found(workshop, delimiter):
    """As in the container, nobody has to say it."""
    log = workshop.run({"train": {"a.csv": text(rows(100, 1), delimiter), "b.csv": text(rows(50, 2), delimiter)}})
    assert "Train matrix has 150 rows and 4 columns" in log


def test_libsvm_is_the_same_data(workshop, tmp_path):
    """Lines of index:value train the model that CSV trains."""
    data = rows(300, 1)
    sparse = "".join(f"{row[0]:g} " + " ".join(f"{i}:{v:g}" for i, v in enumerate(row[1:])) + "\n" for row in data)
    workshop.run({"train": {"a.libsvm": sparse}}, kind="text/libsvm")
    dense = Workshop(tmp_path / "dense")
    dense.run({"train": {"a.csv": text(data)}})
    matrix = import_xgboost().DMatrix(np.array(data)[:, 1:])
    assert np.allclose(workshop.booster().predict(matrix), dense.booster().predict(matrix))


def test_ranking_takes_its_groups_from_query_ids(workshop):
    """rank:ndcg trains on libsvm lines with qid."""
    lines = [
        f"{row[0]:g} qid:{number // 10} " + " ".join(f"{i}:{v:g}" for i, v in enumerate(row[1:]))
        for number, row in enumerate(rows(200, 1))
    ]
    given = {"num_round": "5", "objective": "rank:ndcg", "eval_metric": "ndcg"}
    assert "train-ndcg" in workshop.run({"train": {"a": "\n".join(lines)}}, given, "text/libsvm")


def test_weights_stand_in_the_second_column(workshop):
    """csv_weights=1 takes the second column for the instance's weight."""
    weighted = [[row[0], 2.0, *row[1:]] for row in rows(100, 1)]
    assert "4 columns" in workshop.run({"train": {"a.csv": text(weighted)}}, {**BINARY, "csv_weights": "1"})


def test_an_empty_cell_is_a_missing_value(workshop):
    """XGBoost learns a direction for it."""
    table = text(rows(100, 1)) + "1,,0.5,0.5,0.5\n\n0,0.1,,0.2,0.3\n"
    assert "102 rows" in workshop.run({"train": {"a.csv": table}})


GOOD = "1,0.5,0.5\n0,0.2,0.1\n"


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ({}, "Missing required channel: train"),
        ({"validation": {"a.csv": GOOD}}, "Missing required channel: train. The job has: validation"),
        ({"train": {}}, "No data in the channel 'train'"),
        ({"train": {"a.csv": ""}}, "No data in the channel 'train'"),
        ({"train": {"a.csv": GOOD + "2,0.1,0.2\n"}}, "train/a.csv, row 3: the label 2 is out of range"),
        ({"train": {"a.csv": GOOD, "b.csv": GOOD + ",1,2\n"}}, "train/b.csv, row 3: the label nan is missing"),
        ({"train": {"a.csv": GOOD + "1,oops,2\n"}}, "train/a.csv, line 3, column 2: 'oops' is not a number"),
        (
            {"train": {"a.csv": "label,x,y\n" + GOOD}},
            "line 1, column 1: 'label' is not a number. The data must",
        ),
        ({"train": {"a.csv": GOOD + "1,2\n"}}, "train/a.csv, line 3: 2 columns, where 3 are expected"),
        ({"train": {"a.csv": GOOD, "b.csv": "1,2\n"}}, "train/b.csv, line 1: 2 columns, but train/a.csv has 3"),
        ({"train": {"a.csv": "1\n0\n"}}, "1 column(s)"),
        ({"train": {"a.csv": GOOD}, "validation": {"b.csv": "1,2\n"}}, "The validation data has 1 features"),
    ],
)
def test_data_that_cannot_be_used_is_named_by_its_place(workshop, channels, expected):
    """One message with file, line or row, and what is wrong there."""
    assert expected in workshop.fail(channels)


@pytest.mark.parametrize(("sharing", "copies"), [("FullyReplicated", 3), ("ShardedByS3Key", 1)])
def test_several_instances_train_one_model_on_the_data_of_all(tmp_path, sharing, copies):
    """Sharded rows count once; rows that each of three instances has count three times, as gradients are added up."""
    table = rows(300, 4)
    several, one = Workshop(tmp_path / "several"), Workshop(tmp_path / "one")
    given = {**BINARY, "min_child_weight": "20", "lambda": "30", "tree_method": "hist", "nthread": "1"}
    said = several.run({"train": {"a.csv": text(table)}}, given, hosts=3, sharing=sharing)
    one.run({"train": {"a.csv": text(table * copies)}}, given)
    assert ("counts 3 times" in said) == (copies == 3)
    matrix = import_xgboost().DMatrix(np.array(table)[:, 1:])
    assert several.booster().predict(matrix) == pytest.approx(one.booster().predict(matrix), abs=1e-5)


def test_exact_does_not_train_on_several_instances(workshop):
    """XGBoost does not distribute it, and the message says what it does."""
    done = workshop.start(
        {"train": {"a.csv": text(rows(20, 1))}}, {**BINARY, "tree_method": "exact"}, "text/csv", hosts=2
    )
    assert done.returncode == 2
    assert "XGBoost distributes approx and hist only" in done.stderr


def test_classes_beyond_num_class_are_refused(workshop):
    """A label must be below num_class."""
    given = {"num_round": "2", "objective": "multi:softmax", "num_class": "2"}
    assert "num_class = 2" in workshop.fail({"train": {"a.csv": GOOD + "2,1,1\n"}}, given)


def test_csv_under_the_default_content_type_is_explained(workshop):
    """Without ContentType the algorithm reads libsvm, and says what to set."""
    assert "set ContentType text/csv" in workshop.fail({"train": {"a.csv": GOOD}}, kind="")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "Missing required hyperparameter: num_round"),
        ({"num_rounds": "3", "num_round": "3"}, "Extraneous hyperparameter found: num_rounds. Did you mean num_round?"),
        ({"num_round": "many"}, "Hyperparameter num_round: could not parse value 'many'; it must be a whole number"),
        ({"num_round": "0"}, "Hyperparameter num_round: 0 is not in [1, +inf)"),
        ({"num_round": "1", "eta": "1.5"}, "Hyperparameter eta: 1.5 is not in [0, 1]"),
        ({"num_round": "1", "subsample": "0"}, "Hyperparameter subsample: 0 is not in (0, 1]"),
        ({"num_round": "1", "gamma": "nan"}, "Hyperparameter gamma: nan is not in [0, +inf)"),
        ({"num_round": "1", "booster": "forest"}, "Hyperparameter booster: forest is not in ["),
        ({"num_round": "1", "objective": "multi:softmax"}, "Require input for parameter 'num_class'"),
        ({"num_round": "1", "num_class": "3"}, "Do not need to setup parameter 'num_class'"),
        ({"num_round": "1", "eval_metric": "auc"}, "Metric 'auc' can only be applied for classification"),
        ({"num_round": "1", "eval_metric": "best"}, "Hyperparameter eval_metric: value ['best'] not in range"),
        ({"num_round": "1", "eval_metric": "auc@0.5"}, "Metric 'auc@0.5' is not supported"),
        ({"num_round": "1", "eval_metric": "accuracy"}, "accuracy is not computed here"),
        ({"num_round": "1", "monotone_constraints": "(1,0)"}, "only when the tree_method parameter"),
        ({"num_round": "1", "interaction_constraints": "x"}, "could not parse value 'x'; write it as [[0,1],[2,3]]"),
        ({"num_round": "1", "tree_method": "gpu_hist"}, "there are no GPUs here"),
        ({"num_round": "1", "_kfold": "5"}, "k-fold cross validation is not run here"),
    ],
)
def test_hyperparameters_are_checked_by_name_and_range(given, expected):
    """The text begins as the algorithm's own does."""
    with pytest.raises(UserError) as caught:
        hyperparameters.check(given)
    assert expected in str(caught.value)


def test_settings_of_sdks_are_not_the_algorithms():
    """What SDKs put beside the hyperparameters, and the quotes around them, do no harm."""
    settings = hyperparameters.check({"num_round": '"7"', "sagemaker_region": "us-east-1", "predictor": "auto"})
    assert (settings.rounds, settings.ignored) == (7, ["predictor"])
    assert settings.parameters == {"objective": "reg:squarederror"}
