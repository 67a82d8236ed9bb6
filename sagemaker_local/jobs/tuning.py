"""Hyperparameter tuning jobs: training jobs with chosen hyperparameters, some at a time, until the limit is reached.

A training job is put on record in the tuning job's document (``_local.trials``) before it exists, so a server that is
killed in between starts it once, under that name.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from sagemaker_local.errors import ApiError
from sagemaker_local.jobs.context import Context
from sagemaker_local.jobs.search_space import Space, dimensions

Document = dict[str, Any]

KIND = "tuning_job"
TRAINING = "training_job"
OBJECTIVE = "_tuning_objective_metric"  # the hyperparameter by which containers know what is tuned
_FINAL = ("Completed", "Failed", "Stopped")
_BUSY = frozenset({"ResourceLimitExceeded", "ThrottlingException", "Throttling"})
_BUSY_SECONDS = 1.0  # before a training job that a quota refused is asked for again
# Passed on from the definition to each training job as they are.
_PASSED = (
    *("RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition"),
    *("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"),
    *("CheckpointConfig", "RetryStrategy", "Environment"),
)


def objective_of(document: Document) -> Document:
    """Return what a tuning job wants: ``{"Type", "MetricName"}``."""
    config, definition = document["HyperParameterTuningJobConfig"], document["TrainingJobDefinition"]
    found: Document = definition.get("TuningObjective") or config["HyperParameterTuningJobObjective"]
    return found


def objective_value(training: Document | None, metric: str) -> float | None:
    """Return the last value of the metric of a training job that has completed."""
    if training is None or training["TrainingJobStatus"] != "Completed":
        return None
    finals = training.get("FinalMetricDataList") or []
    return next((each["Value"] for each in finals if each["MetricName"] == metric), None)


def ranges_of(document: Document) -> Document:
    """Return the ``ParameterRanges`` of a tuning job."""
    found: Document = document["TrainingJobDefinition"].get("HyperParameterRanges") or document[
        "HyperParameterTuningJobConfig"
    ].get("ParameterRanges", {})
    return found


class TuningJob:
    """One tuning job; used as a job of the other kinds is (`jobs.job.Job`), but it has no process of its own."""

    kind: ClassVar[str] = KIND
    title: ClassVar[str] = "HyperParameterTuningJob"

    def __init__(
        self, context: Context, name: str, wait: Callable[[str, str], None], kill: Callable[[str, str, float], None]
    ) -> None:
        """Prepare; nothing happens before `run`.

        Args:
            context: the service.
            name: of the tuning job.
            wait: for a job of a kind and name to end.
            kill: a job of a kind and name, so many seconds after its command began.
        """
        self.context = context
        self.name = name
        self.finished = threading.Event()
        self._wait = wait
        self._kill = kill
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._stopping = False
        self._abandoned = False
        self._resumed: list[Document] = []

    def run(self) -> None:
        """Live the whole life; never raises."""
        try:
            self._live()
        except ApiError as error:
            self._conclude("Failed", f"ClientError: CreateTrainingJob: {error.code}: {error.message}")
        except Exception as error:  # noqa: BLE001 - a bug of ours ends the job, never the server, and is told in full
            traceback.print_exc(file=sys.stderr)
            self._conclude("Failed", f"InternalServerError: sagemaker_local failed: {error!r}")
        finally:
            self.finished.set()

    def stop(self) -> None:
        """Start no more training jobs, and stop those that run."""
        self._stopping = True
        self._ending.set()
        for trial in self._trials():
            self._stop_training(trial["name"])

    def abandon(self) -> None:
        """Leave everything as it is: the server ends."""
        self._abandoned = True
        self._ending.set()

    def kill_after(self, seconds: float) -> None:
        """Have the processes of the training jobs that run killed."""
        for trial in self._trials():
            self._kill(TRAINING, trial["name"], seconds)

    def _live(self) -> None:
        document = self._document()
        if document["HyperParameterTuningJobStatus"] == "Stopping":
            self.stop()
        config = document["HyperParameterTuningJobConfig"]
        local = document["_local"]
        if "seed" not in local:
            seed = config.get("RandomSeed", secrets.randbelow(2**31))
            self._change(lambda body: body["_local"].update(seed=seed, trials=[]))
            local = {"seed": seed, "trials": []}
        self._resumed = list(local["trials"])
        space = Space(config["Strategy"], dimensions(ranges_of(document)), local["seed"])
        limits = config["ResourceLimits"]
        count = space.size if config["Strategy"] == "Grid" else limits["MaxNumberOfTrainingJobs"]
        with ThreadPoolExecutor(min(limits["MaxParallelTrainingJobs"], count)) as pool:
            workers = [
                pool.submit(self._work, space, count) for _ in range(min(limits["MaxParallelTrainingJobs"], count))
            ]
        for worker in workers:
            worker.result()
        if self._abandoned:
            return
        self._conclude("Stopped", None) if self._stopping else self._judge()

    def _work(self, space: Space, count: int) -> None:
        """Run training jobs one after the other, as one of those that run at a time."""
        try:
            while (trial := self._next(space, count)) is not None:
                self._train(trial)
        except BaseException:
            self.stop()  # one that cannot go on is not waited for by the others
            raise

    def _next(self, space: Space, count: int) -> Document | None:
        """Return the next training job to run or to go on waiting for, put on record; None when there is none."""
        with self._lock:
            if self._resumed:
                return self._resumed.pop(0)
            document = self._document()
            if self._ending.is_set() or self._enough(document):
                return None
            trials = document["_local"]["trials"]
            if len(trials) >= count:
                return None
            name = f"{self.name}-{len(trials) + 1:03d}-{secrets.token_hex(4)}"
            trial = {"name": name, "tuned": space.choose(len(trials), self._known(document))}
            self._change(lambda body: body["_local"]["trials"].append(trial))
            return trial

    def _train(self, trial: Document) -> None:
        name, document = trial["name"], self._document()
        training = self._training(name)
        while training is None:
            if self._ending.is_set():
                return
            try:
                self.context.api.call("CreateTrainingJob", self._request(document, trial))
            except ApiError as error:
                if error.code not in _BUSY:
                    raise
                self._ending.wait(_BUSY_SECONDS)
            training = self._training(name)
        if "TuningJobArn" not in training:
            with self.context.api.store.transaction() as tx:
                training = tx.get(TRAINING, name)
                if training is not None:
                    tx.put(TRAINING, name, {**training, "TuningJobArn": document["HyperParameterTuningJobArn"]})
        if self._stopping:
            self._stop_training(name)
        self._wait(TRAINING, name)
        if not self._abandoned:
            self._change(lambda _: None)

    @staticmethod
    def _request(document: Document, trial: Document) -> Document:
        definition = document["TrainingJobDefinition"]
        algorithm = definition["AlgorithmSpecification"]
        metric = objective_of(document)["MetricName"]
        return {
            **{member: definition[member] for member in _PASSED if member in definition},
            "TrainingJobName": trial["name"],
            "AlgorithmSpecification": algorithm,
            "HyperParameters": {**definition.get("StaticHyperParameters", {}), **trial["tuned"], OBJECTIVE: metric},
        }

    def _known(self, document: Document) -> list[tuple[dict[str, str], float]]:
        """Return values and objectives of the jobs that have one; more is better."""
        objective = objective_of(document)
        sign = 1 if objective["Type"] == "Maximize" else -1
        found = []
        for trial in document["_local"]["trials"]:
            value = objective_value(self._training(trial["name"]), objective["MetricName"])
            if value is not None:
                found.append((trial["tuned"], sign * value))
        return found

    def _enough(self, document: Document) -> bool:
        """Tell whether a completion criterion is met."""
        criteria = document["HyperParameterTuningJobConfig"].get("TuningJobCompletionCriteria") or {}
        values = [value for _, value in self._known(document)]
        if not values or not criteria:
            return False
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None:
            sign = 1 if objective_of(document)["Type"] == "Maximize" else -1
            if max(values) >= sign * target:
                return True
        patience = (criteria.get("BestObjectiveNotImproving") or {}).get("MaxNumberOfTrainingJobsNotImproving")
        return patience is not None and len(values) - 1 - values.index(max(values)) >= patience

    def _judge(self) -> None:
        document = self._document()
        if self._known(document):
            self._conclude("Completed", None)
            return
        trials = [self._training(trial["name"]) or {} for trial in document["_local"]["trials"]]
        metric = objective_of(document)["MetricName"]
        failed = [training for training in trials if training.get("TrainingJobStatus") != "Completed"]
        if len(failed) == len(trials):
            first = failed[0].get("FailureReason", "it was stopped or deleted") if failed else "none was started"
            self._conclude("Failed", f"ClientError: No training job completed successfully. The first: {first}")
        else:
            self._conclude(
                "Failed",
                f"ClientError: No objective metrics found after running {len(trials)} training jobs. Please ensure "
                f"that the custom algorithm is emitting the objective metric {metric} as defined by the regular "
                "expression provided.",
            )

    def _conclude(self, status: str, reason: str | None) -> None:
        def change(document: Document) -> None:
            document["HyperParameterTuningJobStatus"] = status
            document["HyperParameterTuningEndTime"] = self.context.api.clock()
            if reason is not None:
                document["FailureReason"] = reason[:1024]

        if not self._abandoned:
            self._change(change)

    def _change(self, change: Callable[[Document], None]) -> None:
        with self.context.api.store.transaction() as tx:
            document = tx.get(KIND, self.name)
            if document is not None:
                change(document)
                document["LastModifiedTime"] = self.context.api.clock()
                tx.put(KIND, self.name, document)

    def _document(self) -> Document:
        with self.context.api.store.read() as tx:
            document = tx.get(KIND, self.name)
        if document is None:
            raise RuntimeError(f"The {KIND} {self.name} is gone from the store.")
        return document

    def _training(self, name: str) -> Document | None:
        with self.context.api.store.read() as tx:
            return tx.get(TRAINING, name)

    def _trials(self) -> list[Document]:
        """Return the training jobs on record that have not ended."""
        with self.context.api.store.read() as tx:
            document = tx.get(KIND, self.name) or {"_local": {}}
            trials = document["_local"].get("trials", [])
            found = [(trial, tx.get(TRAINING, trial["name"])) for trial in trials]
        return [trial for trial, training in found if training and training["TrainingJobStatus"] not in _FINAL]

    def _stop_training(self, name: str) -> None:
        with contextlib.suppress(ApiError):  # it has ended meanwhile
            self.context.api.call("StopTrainingJob", {"TrainingJobName": name})
