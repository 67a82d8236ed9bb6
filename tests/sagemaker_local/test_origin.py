"""No sign-in guards this AWS, and its jobs run as the person who started it: no web page may call it."""

import http.client

import pytest

TARGET = {"X-Amz-Target": "SageMaker.ListExperiments", "Content-Type": "application/x-amz-json-1.1"}
REBOUND = {"Host": "evil.example"}


def ask(local_aws, method, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", local_aws.port, timeout=10)
    try:
        connection.request(method, path, "{}" if method == "POST" else None, headers)
        response = connection.getresponse()
        return response.status, response.read().decode(), dict(response.headers)
    finally:
        connection.close()


@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        REBOUND,
        {**REBOUND, "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/", TARGET),
        ("OPTIONS", "/", {"Access-Control-Request-Method": "POST"}),
        ("GET", "/?Action=ListTopics", {}),
        ("GET", "/a-bucket", {}),
    ],
    ids=["sagemaker", "preflight", "query", "s3"],
)
def test_a_web_page_is_refused_by_every_service(local_aws, method, path, headers, page):
    """Under its own origin, or under a name of its own that leads here."""
    status, body, answered = ask(local_aws, method, path, **headers, **page)
    assert status == 403
    assert "AccessDeniedException" in body
    assert "Access-Control-Allow-Origin" not in answered


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566", "[::1]:4566", "a-bucket.localhost:4566"])
def test_every_name_of_this_machine_is_answered(local_aws, host):
    """Also with a bucket before it, as clients of S3 write it."""
    assert ask(local_aws, "POST", "/", **TARGET, Host=host)[0] == 200
