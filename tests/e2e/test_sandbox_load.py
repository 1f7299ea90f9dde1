"""The load generator counts what a user would notice, no more and no less."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.load_generator import Load, Summary

pytestmark = pytest.mark.e2e

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Version: one\r\n\r\nok"
RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger: on, 0 seconds: close() sends a reset


@contextlib.contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that gives each connection to `serve` in a thread of its own; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

        def handle(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)


def request(connection: socket.socket) -> bytes:
    """The next request's head, empty when the client closed."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = connection.recv(4096)
        if not data:
            return b""
        head += data
    return head


def answer_always(connection: socket.socket) -> None:
    while request(connection):
        connection.sendall(ANSWER)


def measure(url: str, *, seconds: float = 1.0, keep_alive: float = 1.0, slow: float = 0.0) -> Summary:
    load = Load([url], rate=50, seconds=seconds, keep_alive_fraction=keep_alive, slow_fraction=slow, timeout_seconds=1)
    with load:
        return load.wait()


def reasons(summary: Summary) -> set[str]:
    return {failure.reason for failure in summary.failures}


def test_a_good_server_has_no_failures() -> None:
    """The rate is kept, everything is answered, the version of X-Version is listed with its count."""
    with server(answer_always) as url:
        summary = measure(url, seconds=2.0, keep_alive=0.5)
    assert 95 <= summary.sent <= 105
    assert (summary.ok, summary.failed, summary.statuses) == (summary.sent, 0, {"200": summary.sent})
    (seen,) = summary.versions[url]
    assert (seen.version, seen.count) == ("one", summary.sent)
    assert summary.p50_ms is not None


def test_a_server_that_closes_idle_connections_is_not_at_fault() -> None:
    """HTTP lets a server close a connection on which nothing is asked: the next request takes a new one."""

    def serve(connection: socket.socket) -> None:
        if request(connection):
            connection.sendall(ANSWER)

    with server(serve) as url:
        summary = measure(url)
    assert (summary.ok, summary.failed) == (summary.sent, 0)


def test_a_reset_after_the_request_is_a_failure() -> None:
    """The request was sent and no answer came: the user saw an error."""

    def serve(connection: socket.socket) -> None:
        request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with server(serve) as url:
        summary = measure(url)
    assert (summary.ok, summary.failed) == (0, summary.sent)
    assert reasons(summary) == {"ConnectionResetError without an answer"}


def test_half_an_answer_is_a_failure() -> None:
    """A connection that closes before Content-Length is reached broke an answer."""

    def serve(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(ANSWER[:-1])

    with server(serve) as url:
        summary = measure(url)
    assert summary.failed == summary.sent
    assert reasons(summary) == {"closed in the middle of the answer"}


def test_another_status_is_a_failure() -> None:
    """Only 200 is good."""

    def serve(connection: socket.socket) -> None:
        while request(connection):
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    with server(serve) as url:
        summary = measure(url)
    assert summary.statuses == {"502": summary.failed}
    assert reasons(summary) == {"status 502"}


def test_silence_is_a_failure() -> None:
    """No answer within the time-out."""

    def serve(connection: socket.socket) -> None:
        request(connection)
        time.sleep(5)

    with server(serve) as url:
        summary = measure(url, seconds=0.3)
    assert summary.failed == summary.sent
    assert reasons(summary) == {"timed out"}


def test_nobody_listening_is_a_failure() -> None:
    """A refused connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    summary = measure(f"http://127.0.0.1:{port}/", seconds=0.3)
    assert summary.failed == summary.sent
    assert reasons(summary) == {"ConnectionRefusedError"}


def test_requests_go_out_though_answers_are_late() -> None:
    """Open loop: a server that takes long for each answer gets as many requests a second as a fast one."""

    def serve(connection: socket.socket) -> None:
        while request(connection):
            time.sleep(0.5)
            connection.sendall(ANSWER)

    with server(serve) as url:
        summary = measure(url)
    assert 45 <= summary.sent <= 55
    assert summary.failed == 0
    assert summary.p50_ms is not None
    assert summary.p50_ms >= 500


def test_slow_requests_have_more_time_and_do_not_count_as_latency() -> None:
    """The slow share asks for /slow and may take that long on top of the time-out."""

    def serve(connection: socket.socket) -> None:
        while head := request(connection):
            if head.startswith(b"GET /slow?seconds=2.0 "):
                time.sleep(2.0)
            connection.sendall(ANSWER)

    with server(serve) as url:
        summary = measure(url, slow=0.2)
    assert summary.failed == 0
    assert summary.seconds >= 2.0
    assert summary.max_ms is not None
    assert summary.max_ms < 2000
