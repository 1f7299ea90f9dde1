"""Buffering and limits: spec/proxy.md 23.8 (cases 142 to 151) and section 13."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.http2 import Http2
from tests.conformance.proxy_process import IS_OURS, Proxy, wait_until
from tests.conformance.raw_http import WEBSOCKET, Response, head
from tests.conformance.raw_target import RawTarget
from tests.conformance.scripted_target import Target

BOTH = ("--buffer-requests", "--buffer-responses")

n1 = pytest.mark.skipif(IS_OURS, reason="N1: a buffered response is not withheld, the target is freed early")


def ask_in_chunks(proxy: Proxy, *chunks: bytes) -> Response:
    with proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=[("Transfer-Encoding", "chunked")]))
        for chunk in (*chunks, b""):
            connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        return connection.read()


@pytest.mark.parametrize(("flags", "waits"), [(BOTH, True), ((), False)], ids=["buffered", "streamed"])
def test_case_142_the_target_waits_for_the_whole_body(
    proxy: Proxy, t1: Target, flags: tuple[str, ...], waits: bool
) -> None:
    """With buffering it sees nothing until the rest has arrived."""
    proxy.deploy("s", t1, *flags)
    with proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=[("Content-Length", "10")]) + b"first")
        time.sleep(0.3)
        assert (t1.requests == []) == waits
        connection.send(b"other")
        assert connection.read().seen["body_bytes"] == 10


def test_case_143_large_bodies_arrive_intact(proxy: Proxy, t1: Target) -> None:
    """A body that does not fit into memory goes to a file that is removed with the request."""
    proxy.deploy("s", t1, *BOTH)
    body = bytes(range(256)) * 12288
    assert proxy.ask(method="POST", body=body).status == 200
    assert t1.requests[0].body == body
    assert [path for path in proxy.temporary.rglob("*") if path.is_file() and path.stat().st_size > 100_000] == []


def test_case_144_announced_bodies_over_the_limit(proxy: Proxy, t1: Target) -> None:
    """413; exactly the limit is fine; the target is not contacted."""
    proxy.deploy("s", t1, *BOTH, "--max-request-body", "1000")
    assert proxy.ask(method="POST", body=b"x" * 1000).status == 200
    response = proxy.ask(method="POST", body=b"x" * 1001)
    assert response.status == 413
    assert "413 — Content Too Large" in response.body.decode()
    assert len(t1.requests) == 1


def test_case_144_chunked_bodies_over_the_limit(proxy: Proxy, t1: Target) -> None:
    """The same for a body of unknown length."""
    proxy.deploy("s", t1, *BOTH, "--max-request-body", "1000")
    assert ask_in_chunks(proxy, b"x" * 600, b"x" * 400).seen["body_bytes"] == 1000
    assert ask_in_chunks(proxy, b"x" * 600, b"x" * 401).status == 413
    assert ask_in_chunks(proxy, b"x" * 200_000).status == 413
    assert len(t1.requests) == 1


def test_case_144_bodies_without_a_header_over_the_limit(
    proxy: Proxy, t1: Target, certificates: Callable[[str], tuple[Path, Path]]
) -> None:
    """HTTP/2 announces a body by nothing but its frames, and a GET may have one too."""
    certificate, key = certificates("h2.com")
    files = ("--tls-certificate-path", str(certificate), "--tls-private-key-path", str(key))
    limits = ("--buffer-requests", "--buffer-responses", "--max-request-body", "1000")
    proxy.deploy("s", t1, "--tls", "--host", "h2.com", *files, *limits)
    for method in ("GET", "POST"):
        fields = [(":method", method), (":scheme", "https"), (":authority", "h2.com"), (":path", "/echo")]
        with contextlib.closing(Http2(proxy.https_port, "h2.com")) as connection:
            assert connection.ask(fields, b"x" * 1001) == "413"
            assert connection.ask(fields, b"x" * 1000) == "200"
            assert connection.ask(fields) == "200"
    assert [request.method for request in t1.requests] == ["GET", "GET", "POST", "POST"]


def test_case_144_limits_need_buffering(proxy: Proxy, t1: Target) -> None:
    """Without it no limit applies."""
    proxy.deploy("s", t1, "--buffer-requests=false", "--max-request-body", "10")
    assert proxy.ask(method="POST", body=b"x" * 100).seen["body_bytes"] == 100


@n1
def test_case_145_a_buffered_response_comes_at_once(proxy: Proxy, t1: Target) -> None:
    """The first byte only after the last part."""
    proxy.deploy("s", t1, *BOTH)
    with proxy.connect() as connection:
        connection.send(head("GET", "/stream?n=3&d=0.3"))
        assert not connection.is_closed_within(0.3)


@pytest.mark.parametrize("flags", [(), BOTH], ids=["streamed", "buffered"])
@pytest.mark.parametrize("accept", [[("Accept", "text/event-stream")], []], ids=["asked", "unasked"])
def test_case_146_event_streams_flow(
    proxy: Proxy, t1: Target, flags: tuple[str, ...], accept: list[tuple[str, str]]
) -> None:
    """The first event comes at once, whatever the buffers."""
    proxy.deploy("s", t1, *flags)
    with proxy.connect() as connection:
        started = time.monotonic()
        connection.send(head("GET", "/sse?n=3&d=1", headers=accept))
        while connection.reader.readline() != b"data: part 0\n":
            pass
        assert time.monotonic() - started < 0.5


def test_case_147_responses_over_the_limit(proxy: Proxy, t1: Target) -> None:
    """An announced length becomes a 500 page without the target's headers; event streams are exempt."""
    proxy.deploy("s", t1, *BOTH, "--max-response-body", "1000")
    assert len(proxy.ask("/big?n=1000").body) == 1000
    response = proxy.ask("/big?n=1001")
    assert response.status == 500
    assert b"<h1>500 Internal Server Error</h1>" in response.body
    assert proxy.ask("/sse?n=200&d=0").complete


def test_case_147_a_length_without_a_body(proxy: Proxy, t1: Target) -> None:
    """The limit counts bytes: neither what HEAD would have brought nor what a 304 is short for."""
    proxy.deploy("s", t1, *BOTH, "--max-response-body", "10")
    assert proxy.ask("/big?n=1001", method="HEAD").status == 200
    assert proxy.ask("/unchanged?n=1001").status == 304


def test_case_147_unannounced_responses_over_the_limit(proxy: Proxy, t1: Target) -> None:
    """No more than the limit reaches the client (N1: cut instead of a 500 page)."""
    proxy.deploy("s", t1, *BOTH, "--max-response-body", "1000")
    response = proxy.ask("/stream?n=200&d=0.001")
    assert response.status == 500 or not response.complete


@n1
def test_case_148_a_target_that_dies_in_the_middle(proxy: Proxy, t1: Target) -> None:
    """The client gets no bytes."""
    proxy.deploy("s", t1, *BOTH)
    with pytest.raises(ConnectionError):
        proxy.ask("/halfway")


def test_case_149_upgrades_bypass_the_buffers(proxy: Proxy, t1: Target) -> None:
    """A WebSocket works with both on."""
    proxy.deploy("s", t1, *BOTH)
    with proxy.connect() as websocket:
        assert websocket.ask(path="/ws", headers=WEBSOCKET).status == 101
        websocket.reader.readline()
        websocket.send(b"echo this\n")
        assert websocket.reader.readline() == b"echo this\n"


def test_case_150_unbuffered_responses_flow(proxy: Proxy, t1: Target) -> None:
    """Chunks are passed on as they come (13)."""
    proxy.deploy("s", t1)
    with proxy.connect() as connection:
        started = time.monotonic()
        connection.send(head("GET", "/stream?n=2&d=1"))
        while connection.reader.readline() != b"data: part 0\n":
            pass
        assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("flags", [(), BOTH], ids=["streamed", "buffered"])
def test_case_151_broken_chunks(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """400."""
    proxy.deploy("s", t1, *flags)
    with proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=[("Transfer-Encoding", "chunked")]) + b"ZZ\r\nabc\r\n0\r\n\r\n")
        assert connection.read().status == 400


def test_a_client_that_leaves_while_uploading(proxy: Proxy, t1: Target) -> None:
    """Nothing is forwarded (13)."""
    proxy.deploy("s", t1, *BOTH)
    with proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=[("Content-Length", "100")]) + b"some")
        time.sleep(0.1)
    proxy.deploy("s", t1, *BOTH)
    wait_until(lambda: proxy.ask().status == 200)
    assert [request.method for request in t1.requests] == ["GET"]


@pytest.mark.parametrize(("flags", "status"), [(BOTH, 500), ((), 499)], ids=["buffered", "streamed"])
@pytest.mark.parametrize("framing", [("Content-Length", "100"), ("Transfer-Encoding", "chunked")], ids=lambda it: it[0])
def test_the_log_of_a_client_that_leaves_while_uploading(
    proxy: Proxy, t1: Target, flags: tuple[str, ...], status: int, framing: tuple[str, str]
) -> None:
    """500 where the body was to be read first (13), 499 where the request was under way (15)."""
    proxy.deploy("s", t1, *flags)
    path = f"/{framing[0]}/{status}"
    with proxy.connect() as connection:
        connection.send(head("POST", path, headers=[framing]) + b"5\r\nso")
        time.sleep(0.1)
    assert [(record["status"], record["service"]) for record in proxy.access_log(path)] == [(status, "s")]


def test_an_answer_before_the_end_of_an_upload_frees_its_target(proxy: Proxy) -> None:
    """A deploy does not wait for a client that goes on sending, or says no more, after it has been answered (9.2)."""
    target = RawTarget()
    try:
        proxy.succeed("deploy", "s", "--target", target.address)
        with proxy.connect() as connection:
            connection.send(head("POST", "/early", headers=[("Content-Length", "1000000")]) + b"some")
            assert connection.read().status == 200
            started = time.monotonic()
            proxy.succeed("deploy", "s", "--target", target.address)
            assert time.monotonic() - started < 2
    finally:
        target.close()
