"""The REST API's manners: Flink's paths, statuses and texts; bodies of all sizes; many clients."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from lab.cluster import Cluster

NO_JOB = "0" * 32


def ask(cluster: Cluster, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    place = urlsplit(cluster.rest_url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.getheader("access-control-allow-origin") == "*"
        return answer.status, json.loads(text) if text else None
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/nope", 404, "Unable to load requested file /nope."),
        ("GET", "/v2/overview", 404, "Unable to load requested file /v2/overview."),
        ("POST", "/overview", 404, "Not found: /overview"),
        ("DELETE", "/overview", 404, "Not found: /overview"),
        ("GET", "/jobs/xyz", 400, 'Cannot resolve path parameter (jobid) from value "xyz".'),
        ("GET", f"/jobs/{NO_JOB}", 404, f"Job {NO_JOB} not found"),
        ("GET", f"/jobs/{NO_JOB}/checkpoints", 404, f"Job {NO_JOB} not found"),
        ("PATCH", f"/jobs/{NO_JOB}?mode=cancel", 404, "not found"),
        ("GET", "/taskmanagers/nope", 500, "No TaskExecutor registered under nope"),
        ("GET", "/leat/v1/sessions/nope/statements/1/rows", 404, "there is no session nope"),
        ("POST", "/leat/v1/actions/nope", 400, "there is no action 'nope'"),
    ],
)
def test_errors_are_flinks(cluster: Cluster, method: str, path: str, status: int, words: str) -> None:
    got, answer = ask(cluster, method, path)
    assert got == status
    assert words in " ".join(answer["errors"])


def test_every_path_works_below_v1(cluster: Cluster) -> None:
    for path in ("/overview", "/jobs", "/jobs/overview", "/taskmanagers", "/config", "/jobmanager/config"):
        assert ask(cluster, "GET", path)[0] == 200
        assert ask(cluster, "GET", "/v1" + path)[0] == 200


def test_bodies_are_bounded(cluster: Cluster) -> None:
    assert ask(cluster, "POST", "/leat/v1/sessions", b"not json")[0] == 400
    assert ask(cluster, "POST", "/leat/v1/sessions", b'{"config":{"a":1}}')[0] == 400
    place = urlsplit(cluster.rest_url)
    with socket.create_connection((place.hostname, place.port or 0), timeout=10) as peer:
        peer.sendall(b"POST /leat/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert b" 413 " in peer.recv(4096)
    with socket.create_connection((place.hostname, place.port or 0), timeout=10) as peer:
        peer.sendall(b"PATCH /jobs/xyz HTTP/1.1\r\nHost: x\r\n\r\n")  # no length at all
        assert b" 400 " in peer.recv(4096)
    assert ask(cluster, "GET", "/overview")[0] == 200


def test_a_session_has_an_end(cluster: Cluster) -> None:
    status, answer = ask(cluster, "POST", "/leat/v1/sessions", b"{}")
    assert status == 200
    session = f"/leat/v1/sessions/{answer['session']}"
    assert ask(cluster, "DELETE", session)[0] == 200
    assert ask(cluster, "DELETE", session)[0] == 404


def test_many_clients_at_once(cluster: Cluster) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: ask(cluster, "GET", "/overview")[0], range(500)))
    assert answers == [200] * 500


def test_the_page_needs_nothing_from_elsewhere(cluster: Cluster) -> None:
    place = urlsplit(cluster.rest_url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    connection.request("GET", "/")
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    assert answer.status == 200
    assert page.startswith("<!doctype html>")
    assert "https://" not in page
    assert page.replace("http://www.w3.org/2000/svg", "").count("http://") == 0
