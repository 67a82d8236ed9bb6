"""Reading S3 for the pages: in parallel, by pages of keys, and with a short memory.

A page costs a few lists and no more: what became of a day stands in the keys (`day_index`), and the figures of a
report are kept until its day is judged again.
"""

import json
import re
import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar

from cachetools import LRUCache, TTLCache

from sagemaker_batch import day_index, names, quality_index, records
from sagemaker_batch.day_index import DayEntry
from sagemaker_batch.quality_index import QualityEntry
from sagemaker_batch.settings import Settings

T = TypeVar("T")
LAST_MODIFIED = re.compile(rb"(?<=<LastModified>)[^<]+(?=</LastModified>)")
WORKERS = 16
LIST_SECONDS, DEPLOYMENT_SECONDS = 10, 300
# A page that waits longer than this for S3 says so. What botocore does beside the call costs a cold page half of its
# CPU: requests are ours and valid, and checksums of empty objects say nothing.
CONNECTION = {
    "connect_timeout": 3,
    "read_timeout": 10,
    "retries": {"mode": "standard", "max_attempts": 2},
    "parameter_validation": False,
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


@dataclass(frozen=True)
class Deployed:
    """What a page needs of what was deployed: of `<use_case>/deployment.json`, or its part of `deployments.json`."""

    name: str
    description: str = ""
    owners: tuple[str, ...] = ()
    timezone: str = "UTC"
    batch_cron: str = "0 0 * * *"
    start_date: date = date(1970, 1, 1)
    group: str = ""
    known: bool = False


@dataclass
class Reader:
    """Reads one bucket. `s3_client` and `sagemaker_client` are factories, called once each."""

    here: Settings
    s3_client: Callable[[], Any]
    sagemaker_client: Callable[[], Any]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _lists: Any = field(default_factory=lambda: TTLCache(4096, LIST_SECONDS))
    _deployments: Any = field(default_factory=lambda: TTLCache(4096, DEPLOYMENT_SECONDS))
    _figures: Any = field(default_factory=lambda: LRUCache(8192))
    _clients: dict[str, Any] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(WORKERS, "sagemaker-batch-views"))

    @property
    def s3(self) -> Any:
        """The client, shared by all threads."""
        return self._client("s3", self.s3_client)

    @property
    def sagemaker(self) -> Any:
        """The client, shared by all threads."""
        return self._client("sagemaker", self.sagemaker_client)

    def each(self, call: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """Call for each item in parallel; results in order, the first error is raised."""
        return list(self._pool.map(call, items))

    def deployed(self, use_case: str) -> Deployed:
        """Return what was deployed of a use case; `known` is False where nothing was."""
        return self._remembered(self._deployments, use_case, lambda: self._read_deployed(use_case))

    def all_deployed(self, use_cases: Iterable[str]) -> list[Deployed]:
        """Return what was deployed of many use cases, in order: one object, and one more for each that it lacks."""

        def read() -> Any:
            return self.json(names.deployments_key()) or {"use_cases": {}}

        shared = self._remembered(self._deployments, names.deployments_key(), read)["use_cases"]
        return self.each(
            lambda name: _deployed(name, shared[name]) if name in shared else self.deployed(name), use_cases
        )

    def entries(self, use_case: str, since: date) -> list[DayEntry]:
        """Return the day index from a day on."""
        return self._remembered(
            self._lists,
            (use_case, since),
            lambda: day_index.read_entries(self.s3, self.here.bucket, use_case, since),
        )

    def quality(self, use_case: str, since: date) -> dict[date, QualityEntry]:
        """Return what stands of each day that was judged by labels, from a day on."""
        return self._remembered(
            self._lists,
            ("quality", use_case, since),
            lambda: quality_index.standing(quality_index.read_entries(self.s3, self.here.bucket, use_case, since)),
        )

    def text(self, key: str) -> str | None:
        """Return an object as text, or None."""
        found = records.get(self.s3, self.here.bucket, key)
        return found["Body"].read().decode("utf-8", "replace") if found else None

    def json(self, key: str) -> Any:
        """Return a JSON object, or None."""
        text = self.text(key)
        return None if text is None else json.loads(text)

    def figures(self, use_case: str, entries: Iterable[DayEntry]) -> list[dict[str, Any]]:
        """Return the figures of the reports of those executions, in order; absent ones are left out."""

        def one(entry: DayEntry) -> Any:
            key = names.report_record_key(use_case, entry.day, entry.execution)
            return self._remembered(self._figures, (key, entry.written), lambda: self.json(key))

        return [item for item in self.each(one, entries) if item]

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        return [key for key, _ in records.keys(self.s3, self.here.bucket, prefix)]

    def _read_deployed(self, use_case: str) -> Deployed:
        content = self.json(names.deployment_key(use_case))
        return Deployed(use_case) if content is None else _deployed(use_case, content)

    def _client(self, service: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = make()
            return self._clients[service]

    def _remembered(self, cache: Any, key: Hashable, read: Callable[[], Any]) -> Any:
        with self._lock:
            if key in cache:
                return cache[key]
        value = read()
        if value is not None:
            with self._lock:
                cache[key] = value
        return value


def _deployed(use_case: str, content: dict[str, Any]) -> Deployed:
    case = content["use_case"]
    return Deployed(
        name=use_case,
        description=case.get("description", ""),
        owners=tuple(case.get("owners", ())),
        timezone=case["schedule"]["timezone"],
        batch_cron=case["schedule"]["batch"],
        start_date=date.fromisoformat(case["schedule"]["start_date"]),
        group=content["model_package_group"],
        known=True,
    )


@cache
def reader() -> Reader:
    """Return this process's reader, by Airflow's configuration."""
    from sagemaker_batch import aws
    from sagemaker_batch.settings import settings

    here = settings()

    def make(service: str) -> Any:
        config = {**CONNECTION, "max_pool_connections": WORKERS}
        return aws.client(service, here.aws_conn_id, here.region, botocore_config=config)

    def make_s3() -> Any:
        made = make("s3")
        made.meta.events.register("before-parse.s3.ListObjectsV2", seconds_for_times)
        return made

    return Reader(here, make_s3, lambda: make("sagemaker"))


def seconds_for_times(response_dict: dict[str, Any], **_others: Any) -> None:
    """Write the times of a list of keys as seconds since the epoch; a handler of botocore's event `before-parse`.

    botocore takes such a number as it is. Guessing the format of a text, a thousand times a list, costs as much as all
    else that it does for one.
    """
    response_dict["body"] = LAST_MODIFIED.sub(
        lambda found: str(datetime.fromisoformat(found[0].decode()).timestamp()).encode(), response_dict["body"]
    )
