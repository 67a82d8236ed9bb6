"""The door under fire: whatever comes over HTTP is answered by HTTP, and never with a fault of ours."""

from __future__ import annotations

import http.client
import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagemaker_local import model
from sagemaker_local.operations import HANDLERS, load

API_ONLY = True
load()
FEW = settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
TARGETS = st.sampled_from(sorted(model.operation_names())) | st.text(string.printable, max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
BODIES = JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)
KINDS = ["throttle", "latency", "error", "lose_response", "kill_step"]
MEMBERS = ["operation", "key", "count", "rate", "seed", "seconds", "step", "code", "status", "message", "body"]


def ask(local_aws, method, target, body=b"", **headers):
    """Return the status and body of an answer; a header that HTTP cannot carry is left out."""
    connection = http.client.HTTPConnection("127.0.0.1", local_aws.port, timeout=30)
    try:
        connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


HEADERS = ["Authorization", "Content-Type", "Host", "Accept", "Origin", "Sec-Fetch-Site"]


def test_any_target_with_any_body_is_a_fault_of_the_request(local_aws):
    """400, 404 or 501 with a JSON error; 200 only for an operation that takes what was sent."""

    @FEW
    @given(TARGETS, BODIES)
    def check(target, body):
        target = "".join(letter for letter in target if letter.isprintable() and letter.isascii())
        status, answer = ask(local_aws, "POST", "/", body, **{"X-Amz-Target": f"SageMaker.{target}"})
        assert status in {200, 400, 404, 501}, (status, answer)
        answered = json.loads(answer)
        if status != 200:
            assert answered["__type"]
            assert answered["message"]
        if target in model.operation_names() and target not in HANDLERS:
            assert status == 501 or answered["__type"] == "SerializationException"
            assert status != 501 or target in answered["message"]

    check()


def test_any_header_is_a_fault_of_the_request(local_aws):
    """Content types, credentials and regions that nobody sends."""

    @FEW
    @given(st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=60)))
    def check(headers):
        clean = {
            name: "".join(letter for letter in value if letter.isprintable() and letter.isascii())
            for name, value in headers.items()
        }
        status, answer = ask(local_aws, "POST", "/", b"{}", **{"X-Amz-Target": "SageMaker.ListModels", **clean})
        assert status in {200, 400, 403}, (status, answer)
        assert status != 403 or {"Host", "Origin", "Sec-Fetch-Site"} & set(clean), answer

    check()


def test_the_admin_routes_refuse_in_one_sentence(local_aws):
    """Faults of every kind with any values: 201 when they make sense, 400 with a sentence when not."""
    values = st.one_of(JSON, st.sampled_from(["*", "s3:PutObject", "CreateModel", "a*", 1, 0.5, -1, 400]))
    faults = st.builds(
        lambda kind, members: {"kind": kind, **members},
        st.sampled_from(KINDS) | JSON,
        st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=5), values, max_size=4),
    )

    @FEW
    @given(faults.map(lambda fault: json.dumps(fault).encode()) | BODIES, st.sampled_from(["faults", "quotas", "x"]))
    def check(body, route):
        for method in ("POST", "PUT"):
            status, answer = ask(local_aws, method, f"/_local/{route}", body)
            assert status in {200, 201, 400, 404, 405}, (status, answer)
            if status >= 400:
                assert json.loads(answer)["error"]

    try:
        check()
    finally:
        assert ask(local_aws, "DELETE", "/_local/faults")[0] == 200


@pytest.mark.parametrize("path", ["/_local/../secret", "/_local/%2e%2e/%2e%2e/etc/passwd", "/_local/faults/..%2f1"])
def test_a_path_leads_nowhere_but_to_its_route(local_aws, path):
    """Nothing outside the routes is reached by a path."""
    status, answer = ask(local_aws, "DELETE", path)
    assert status in {404, 405}
    assert b"root:" not in answer


def test_a_body_beyond_the_limit_is_refused_and_not_kept(local_aws):
    """16 MB is the most that a request may hold; what comes beyond is not read into memory."""
    status, answer = ask(local_aws, "POST", "/", b" " * (17 * 1024 * 1024), **{"X-Amz-Target": "SageMaker.ListModels"})
    assert status == 413
    assert b"RequestEntityTooLargeException" in answer


def test_a_header_beyond_the_limit_is_refused(local_aws):
    """h11 ends the connection or answers 4xx; the server goes on."""
    try:
        status, _ = ask(local_aws, "POST", "/", b"{}", **{"X-Amz-Target": "SageMaker." + "x" * 2_000_000})
        assert 400 <= status < 500
    except (http.client.HTTPException, ConnectionError):
        pass
    assert local_aws.health()["ready"]
