"""An S3 of made-up use cases and days over HTTP: lists and objects, each after a delay as AWS's own."""

import json
import re
import threading
import time
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

VERDICTS = ("clean",) * 7 + ("warned", "warned", "held")
DELAY = 0.015
PAGE = 1000


def deployment(name):
    case = {
        "description": f"What {name} is for",
        "owners": ["team"],
        "schedule": {"timezone": "Europe/Berlin", "batch": "0 0 * * *", "start_date": "2025-01-01"},
        "data": {},
    }
    return {"use_case": case, "model_package_group": f"{name}-perf"}


def figures(day, features):
    found = {
        f"feature {number}": {"violated": [], "distance": (number % 60) / 100, "psi": 0.1, "null_share": 0.0}
        for number in range(features)
    }
    return {"version": 1, "batch_day": day, "verdict": "clean", "scores": None, "features": found}


def quality_key(name, day, back):
    """Return what labels said of a day: scores that wander, worse than their bound now and then."""
    verdict = "dropped" if back % 17 == 0 else "unknown" if back % 23 == 0 else "good"
    accuracy = 0.9 - (back % 7) / 200 - (0.06 if verdict == "dropped" else 0)
    figures = {"accuracy": (accuracy, 0.89, 0.9), "auc": (accuracy + 0.03, 0.925, 0.93), "brier": (0.08, 0.081, 0.079)}
    told = ",".join(f"{metric}={value:.6g}~{rolling}~{base}" for metric, (value, rolling, base) in figures.items())
    return f"{name}/quality_days/dt={day}/{day:%Y%m%d}T070000.qual{back:08d}.{verdict}.v3.{back:012x}.640of700.{told}"


def model_package(group, number, ages):
    """Return a version as DescribeModelPackage does: trained some days ago, approved the day after."""
    created = datetime.now(UTC) - timedelta(days=ages[number - 1])
    name = f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{group}/{number}"
    return {
        "ModelPackageArn": name,
        "ModelPackageGroupName": group,
        "ModelPackageVersion": number,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": "Approved",
        "CreationTime": created.timestamp(),
        "CustomerMetadataProperties": {
            "ApprovedAt": (created + timedelta(days=1)).isoformat(),
            "ApprovedBy": "kim",
            "EvaluationUri": f"s3://pages/{group.removesuffix('-perf')}/training/train{number}/evaluation.json",
            "PipelineExecutionArn": f"arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/train{number}",
        },
    }


class MadeS3(ThreadingHTTPServer):
    """`use_cases` x `days` days up to the day before `today`, with reports of `features` features.

    `versions` are the ages of each model's versions in days, oldest first; version 3 has scored every day. Labels have
    come of the oldest `judged` days.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, use_cases, days, features=200, *, documents=None, versions=(), judged=0, today=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.features, self.asked, self.lock = features, [], threading.Lock()
        # Objects by the end of their key, such as the reports that a test has drawn.
        self.documents, self.versions = documents or {}, versions
        self.keys = {}
        today = today or date.today()  # noqa: DTZ011 - the pages' own today is within a day of it
        for number in range(use_cases):
            name = f"use_case{number}"
            keys, labelled = [], []
            for back in range(days, 0, -1):
                day = today - timedelta(days=back)
                verdict = VERDICTS[(number + back) % len(VERDICTS)]
                key = f"{name}/days/dt={day}/{day:%Y%m%d}T060000.exec{back:08d}.{verdict}.v3.2of{features}.1000rows"
                keys += [key] if verdict == "held" else [key, f"{key}.published"]
                if back > days - judged:
                    labelled.append(quality_key(name, day, back))
            self.keys[name] = keys + labelled

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """ListObjectsV2 and GetObject."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(DELAY)
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        with self.server.lock:
            self.server.asked.append(self.path)
        if "list-type" in query:
            self.answer(self.listed(query), "application/xml")
            return
        if address.path == "/pages/deployments.json":
            shared = {name: deployment(name) for name in self.server.keys}
            self.answer(json.dumps({"version": 1, "use_cases": shared}), "application/json")
            return
        name, _, rest = unquote(address.path).removeprefix("/pages/").partition("/")
        if name not in self.server.keys:
            self.answer("<Error><Code>NoSuchKey</Code></Error>", "application/xml", 404)
        elif rest == "deployment.json":
            self.answer(json.dumps(deployment(name)), "application/json")
        elif text := next((text for end, text in self.server.documents.items() if rest.endswith(end)), None):
            self.answer(text, "text/html")
        elif "/published/" in address.path:
            self.answer("<Error><Code>NoSuchKey</Code></Error>", "application/xml", 404)
        else:
            day = re.search(r"dt=(\d{4}-\d{2}-\d{2})", rest)[1]
            self.answer(json.dumps(figures(day, self.server.features)), "application/json")

    def listed(self, query):
        prefix = query.get("prefix", "")
        keys = [key for key in self.server.keys.get(prefix.split("/")[0], []) if key.startswith(prefix)]
        after = query.get("continuation-token") or query.get("start-after", "")
        begin = bisect_right(keys, after)
        shown = keys[begin : begin + PAGE]
        more = begin + PAGE < len(keys)
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            '<ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>'
            for key in shown
        )
        token = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}<KeyCount>{len(shown)}</KeyCount>{items}</ListBucketResult>"
        )

    def answer(self, text, kind, status=200):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        """Answer for SageMaker: a group's versions, or one of them."""
        asked, ages = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0)))), self.server.versions
        if self.headers["X-Amz-Target"].endswith("ListModelPackages"):
            numbers = range(len(ages), 0, -1)
            found = [model_package(asked["ModelPackageGroupName"], number, ages) for number in numbers]
            answer = {"ModelPackageSummaryList": found}
        else:
            group, number = asked["ModelPackageName"].split("/")[-2:]
            answer = model_package(group, int(number), ages)
        self.answer(json.dumps(answer), "application/x-amz-json-1.1")

    def log_message(self, *_):
        """Say nothing."""
