"""Health checks, deploy and drain: spec/proxy.md 23.4 (cases 75 to 100), sections 8 and 9."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.conformance.proxy_process import Proxy, wait_until
from tests.conformance.raw_http import WEBSOCKET, Response, head
from tests.conformance.raw_target import GOOD, RawTarget
from tests.conformance.scripted_target import UPGRADE_REPLY, Target

BUFFERS = ("--buffer-requests", "--buffer-responses")


def in_background(proxy: Proxy, path: str) -> Future[Response]:
    """Sends a request from another thread, and returns once it is on its way."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(proxy.ask, path)
    pool.shutdown(wait=False)
    return future


def arrives(target: Target, path: str) -> Callable[[], bool]:
    return lambda: any(request.target.startswith(path) for request in target.requests)


@pytest.mark.parametrize("status", [200, 204])
def test_case_076_success_is_any_2xx(proxy: Proxy, t1: Target, status: int) -> None:
    """200 to 299 is healthy (8.1)."""
    t1.up = status
    proxy.deploy("s", t1)


def test_case_075_a_check_looks_like_this(proxy: Proxy, t1: Target) -> None:
    """GET with its own user agent and the target's address as Host, or the given one (8.1)."""
    proxy.deploy("s", t1)
    proxy.deploy("s", t1, "--health-check-host", "app.com")
    first, second = t1.checks
    assert (first.method, first.target, first.header("User-Agent")) == ("GET", "/up", "kamal-proxy")
    assert (first.header("Host"), second.header("Host")) == (t1.address, "app.com")


def test_case_077_redirects_are_followed(proxy: Proxy, t1: Target) -> None:
    """The final status counts (8.1)."""
    t1.up = 302
    t1.moved_to = "/echo"
    proxy.deploy("s", t1)
    t1.moved_to = "/status?c=500"
    proxy.refuse("deploy", "s", "--target", t1.address, "--deploy-timeout", "300ms")


def test_a_redirect_that_leads_nowhere_is_named(own_proxy: Proxy, t1: Target) -> None:
    """8.1: an app that forces TLS sends the check to an address that does not answer; the log tells which."""
    t1.up = 301
    t1.moved_to = "http://127.0.0.1:1/elsewhere"
    own_proxy.start().refuse("deploy", "s", "--target", t1.address, "--deploy-timeout", "300ms")
    told = {record["error"] for record in own_proxy.log_lines("Healthcheck failed")}
    assert all(error.startswith('Get "http://127.0.0.1:1/elsewhere": ') for error in told), told
    assert told


def test_case_078_other_statuses_are_unhealthy(proxy: Proxy, t1: Target) -> None:
    """The message names the timeout as Go writes it (3.3)."""
    t1.up = 500
    message = proxy.refuse("deploy", "s", "--target", t1.address, "--deploy-timeout", "1500ms")
    assert message == "target failed to become healthy within configured timeout (1.5s)"


def test_case_079_a_target_may_take_its_time(proxy: Proxy, t1: Target) -> None:
    """Checks are repeated at the interval (8.2)."""
    t1.up = 500
    threading.Timer(1.5, lambda: setattr(t1, "up", 200)).start()
    started = time.monotonic()
    proxy.deploy("s", t1, "--health-check-interval", "500ms")
    assert 1.4 < time.monotonic() - started < 3


def test_case_080_the_first_check_is_immediate(proxy: Proxy, t1: Target) -> None:
    """A healthy target is deployed at once (8.2)."""
    proxy.succeed("list")
    started = time.monotonic()
    proxy.deploy("s", t1, "--health-check-interval", "10s")
    assert time.monotonic() - started < 2


def test_case_081_a_slow_check_fails(proxy: Proxy, t1: Target) -> None:
    """The whole check must end within its timeout (8.1)."""
    t1.check_seconds = 0.6
    flags = ("--health-check-timeout", "200ms", "--deploy-timeout", "1s")
    assert "failed to become healthy" in proxy.refuse("deploy", "s", "--target", t1.address, *flags)
    proxy.deploy("s", t1, "--health-check-timeout", "2s")


def test_case_082_the_check_may_use_another_port(proxy: Proxy, t1: Target, t3: Target) -> None:
    """Traffic still goes to the target's own port."""
    proxy.deploy("s", t1, "--health-check-port", str(t3.port))
    assert len(t3.checks) == 1
    assert t1.checks == []
    assert proxy.ask().served_by == "T1"


def test_case_083_the_check_path_is_joined_and_cleaned(proxy: Proxy, t1: Target) -> None:
    """`web/up` is `/web/up`, a slash at the end stays, and there is no query (8.1)."""
    expected = {"web/up": "/web/up", "/a/../b//c": "/b/c", "/health/": "/health/", "/up?x=1": "/up%3Fx=1", "": "/"}
    for path in expected:
        proxy.deploy("s", t1, "--health-check-path", path)
    assert [request.target for request in t1.requests] == list(expected.values())


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.0 200\r\n\r\n", b"HTTP/1.1 200 OK\nX: y\n\n", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + GOOD],
    ids=["no-reason", "line-feeds", "early-hints"],
)
def test_checks_understand_every_answer_that_is_one(proxy: Proxy, reply: bytes) -> None:
    """Interim answers do not count (8.1)."""
    target = RawTarget()
    target.reply = reply
    proxy.succeed("deploy", "s", "--target", target.address, "--health-check-path", "/raw")
    target.close()


@pytest.mark.parametrize("reply", [b"", b"rubbish\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: y\r\n", b"HTTP/1.1 101 S\r\n\r\n"])
def test_checks_refuse_what_is_no_answer(proxy: Proxy, reply: bytes) -> None:
    """Nothing, no HTTP, a head without an end, another protocol (8.1)."""
    target = RawTarget()
    target.reply = reply
    flags = ("--health-check-path", "/raw", "--deploy-timeout", "200ms")
    assert "failed to become healthy" in proxy.refuse("deploy", "s", "--target", target.address, *flags)
    target.close()


def test_case_084_all_targets_must_be_healthy(proxy: Proxy, t1: Target, t2: Target) -> None:
    """One unhealthy target fails the deploy (8.2)."""
    t2.up = 500
    proxy.refuse("deploy", "s", "--target", f"{t1.address},{t2.address}", "--deploy-timeout", "500ms")
    assert proxy.ask().status == 404


def test_case_085_a_lone_target_is_not_checked_again(proxy: Proxy, t1: Target) -> None:
    """It stays in rotation when it breaks later (8.3)."""
    proxy.deploy("s", t1, "--health-check-interval", "100ms")
    t1.up = 500
    checks = len(t1.checks)
    time.sleep(0.5)
    assert proxy.ask().status == 200
    assert len(t1.checks) == checks


def test_case_086_nothing_listens(proxy: Proxy, nobody: str) -> None:
    """The deploy fails and a new service stays unrouted."""
    proxy.refuse("deploy", "s", "--target", nobody, "--deploy-timeout", "500ms")
    assert proxy.ask().status == 404
    assert proxy.listing() == []


def test_case_087_targets_of_a_set_are_ejected_and_brought_back(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Checks go on for a set of several (8.3)."""
    proxy.succeed("deploy", "s", "--target", f"{t1.address},{t2.address}", "--health-check-interval", "100ms")
    t1.up = 500
    wait_until(lambda: {proxy.ask().served_by for _ in range(4)} == {"T2"})
    t2.up = 500
    wait_until(lambda: proxy.ask().status == 503)
    t1.up = t2.up = 200
    wait_until(lambda: proxy.ask().status == 200)
    wait_until(lambda: {proxy.ask().served_by for _ in range(4)} == {"T1", "T2"})


@pytest.mark.parametrize("flags", [(), BUFFERS], ids=["streamed", "buffered"])
def test_case_088_a_deploy_waits_for_what_is_in_flight(
    proxy: Proxy, t1: Target, t2: Target, flags: tuple[str, ...]
) -> None:
    """New requests use the new target at once; the command returns after the old one has finished (9.1)."""
    proxy.deploy("s", t1, *flags)
    old = in_background(proxy, "/sleep?s=1.5")
    wait_until(arrives(t1, "/sleep"))
    deploying = proxy.begin("deploy", "s", "--target", t2.address, *flags)
    wait_until(lambda: proxy.ask().served_by == "T2")
    assert not old.done()
    assert deploying.poll() is None
    assert deploying.wait(timeout=5) == 0
    wait_until(old.done, 0.2)
    assert old.result().served_by == "T1"
    deploying.communicate()


@pytest.mark.parametrize("flags", [(), BUFFERS], ids=["streamed", "buffered"])
def test_case_090_the_drain_timeout_cancels(proxy: Proxy, t1: Target, t2: Target, flags: tuple[str, ...]) -> None:
    """Without response headers yet, the client gets a 504 page; the command returns on time (9.2)."""
    proxy.deploy("s", t1, *flags)
    old = in_background(proxy, "/sleep?s=8")
    wait_until(arrives(t1, "/sleep"))
    started = time.monotonic()
    proxy.deploy("s", t2, "--drain-timeout", "500ms", *flags)
    assert 0.4 < time.monotonic() - started < 2
    response = old.result(timeout=2)
    assert response.status == 504
    wait_until(lambda: t1.lost_clients == 1)


def test_a_cancelled_request_is_not_sent_again(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Also not when it went over a kept connection, whose end alone would be a reason to try another (9.2)."""
    proxy.deploy("s", t1)
    with proxy.connect() as connection:
        assert connection.ask().served_by == "T1"
        connection.send(head("GET", "/sleep?s=8"))
        wait_until(arrives(t1, "/sleep"))
        proxy.deploy("s", t2, "--drain-timeout", "200ms")
        assert connection.read().status == 504
    assert [request.target for request in t1.requests] == ["/echo", "/sleep?s=8"]


def test_a_cancelled_upload_does_not_reach_its_target(proxy: Proxy, t1: Target, t2: Target) -> None:
    """An upload that is still being read when the time is over is not sent: its target may be gone (9.2)."""
    proxy.deploy("s", t1, *BUFFERS)
    with proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=[("Content-Length", "10")]) + b"12345")
        deploying = proxy.begin("deploy", "s", "--target", t2.address, "--drain-timeout", "1s", *BUFFERS)
        wait_until(lambda: proxy.ask().served_by == "T2")
        assert deploying.communicate(timeout=5) == ("", "")
        connection.send(b"67890")
        assert connection.read("POST").status == 504
    assert not [request for request in t1.requests if request.method == "POST"]


@pytest.mark.parametrize("kind", ["stream", "sse"])
def test_case_091_a_long_response_is_cut_at_the_drain_timeout(proxy: Proxy, t1: Target, t2: Target, kind: str) -> None:
    """The client has the first parts, then an incomplete end (9.2)."""
    proxy.deploy("s", t1)
    old = in_background(proxy, f"/{kind}?n=40&d=0.2")
    wait_until(arrives(t1, f"/{kind}"))
    started = time.monotonic()
    proxy.deploy("s", t2, "--drain-timeout", "1s")
    response = old.result(timeout=2)
    assert 0.9 < time.monotonic() - started < 2.5
    assert b"part 0" in response.body
    assert not response.complete


@pytest.mark.parametrize("flags", [(), BUFFERS], ids=["streamed", "buffered"])
def test_case_092_upgraded_connections_are_closed_at_once(
    proxy: Proxy, t1: Target, t2: Target, flags: tuple[str, ...]
) -> None:
    """Without a close frame, and the deploy does not wait for them (9.2)."""
    proxy.deploy("s", t1, *flags)
    with proxy.connect() as websocket:
        assert websocket.ask(path="/ws", headers=WEBSOCKET).status == 101
        assert websocket.reader.readline() == b"hello from T1\n"
        started = time.monotonic()
        proxy.deploy("s", t2, "--drain-timeout", "8s", *flags)
        assert websocket.is_closed_within(0.3)
        assert time.monotonic() - started < 2


def test_a_handshake_in_flight_is_waited_for(proxy: Proxy, t1: Target, t2: Target) -> None:
    """It is a request like others until it is answered by 101 (9.2)."""
    proxy.deploy("s", t1)
    with proxy.connect() as connection:
        connection.send(head("GET", "/sleep?s=0.8", headers=WEBSOCKET))
        wait_until(arrives(t1, "/sleep"))
        proxy.deploy("s", t2)
        assert connection.read().served_by == "T1"


def test_a_connection_that_is_upgraded_during_a_drain_is_closed_with_it(proxy: Proxy, t1: Target) -> None:
    """Afterwards nothing is left on the replaced target (9.1)."""

    def hesitate() -> Iterator[bytes]:
        time.sleep(0.5)
        yield UPGRADE_REPLY

    slow = RawTarget()
    slow.reply, slow.holds = hesitate(), True
    proxy.succeed("deploy", "s", "--target", slow.address)
    with proxy.connect() as websocket:
        websocket.send(head("GET", "/ws", headers=WEBSOCKET))
        wait_until(lambda: slow.received)
        proxy.deploy("s", t1)
        assert websocket.read().status == 101
        assert websocket.is_closed_within(0.5)
    slow.close()


def test_upgraded_connections_of_another_service_at_the_same_address_stay(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Each drain closes its own (9.2)."""
    proxy.deploy("a", t1, "--host", "a.com")
    proxy.deploy("b", t1, "--host", "b.com")
    with proxy.connect() as own, proxy.connect() as other:
        for websocket, host in ((own, "a.com"), (other, "b.com")):
            assert websocket.ask(path="/ws", host=host, headers=WEBSOCKET).status == 101
            websocket.reader.readline()
        proxy.deploy("a", t2, "--host", "a.com")
        assert own.is_closed_within(0.5)
        other.send(b"still here\n")
        assert other.reader.readline() == b"still here\n"


def test_case_093_a_drain_timeout_of_zero(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Cancels at once (9.2)."""
    proxy.deploy("s", t1)
    old = in_background(proxy, "/sleep?s=5")
    wait_until(arrives(t1, "/sleep"))
    proxy.deploy("s", t2, "--drain-timeout", "0s")
    assert old.result(timeout=1).status == 504


def test_case_094_a_failed_deploy_changes_nothing(proxy: Proxy, t1: Target, nobody: str) -> None:
    """Requests in flight and options are untouched (9.1)."""
    proxy.deploy("s", t1, "--host", "example.com")
    old = in_background(proxy, "/sleep?s=1")
    wait_until(arrives(t1, "/sleep"))
    proxy.refuse("deploy", "s", "--target", nobody, "--host", "other.com", "--deploy-timeout", "300ms")
    assert old.result(timeout=3).served_by == "T1"
    assert proxy.ask().status == 200
    assert proxy.ask(host="other.com").status == 404


def test_case_095_the_same_address_again(proxy: Proxy, t1: Target) -> None:
    """Requests in flight on the same address are drained as on any other target (1)."""
    proxy.deploy("s", t1)
    old = in_background(proxy, "/sleep?s=1")
    wait_until(arrives(t1, "/sleep"))
    started = time.monotonic()
    proxy.deploy("s", t1)
    assert time.monotonic() - started > 0.6
    assert old.result(timeout=1).served_by == "T1"


def test_case_096_two_deploys_of_one_service(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Each waits for its own targets; the last swap wins (9.1)."""
    t1.up = 500
    slow = proxy.begin("deploy", "s", "--target", t1.address)
    wait_until(lambda: t1.checks)
    proxy.deploy("s", t2)
    t1.up = 200
    assert slow.wait(timeout=5) == 0
    slow.communicate()
    assert proxy.ask().served_by == "T1"


def test_case_097_force_installs_at_once(proxy: Proxy, t1: Target) -> None:
    """The target gets traffic only after its first good check (8.4)."""
    t1.up = 500
    started = time.monotonic()
    proxy.deploy("s", t1, "--force", "--health-check-interval", "300ms")
    assert time.monotonic() - started < 2
    assert proxy.ask().status == 503
    t1.up = 200
    wait_until(lambda: proxy.ask().status == 200, 2)


def test_case_098_remove_lets_go_of_nothing(proxy: Proxy, t1: Target) -> None:
    """The service is 404 at once; what is in flight and upgraded goes on (9.1)."""
    proxy.deploy("s", t1)
    old = in_background(proxy, "/sleep?s=1")
    wait_until(arrives(t1, "/sleep"))
    with proxy.connect() as websocket:
        websocket.ask(path="/ws", headers=WEBSOCKET)
        websocket.reader.readline()
        started = time.monotonic()
        proxy.succeed("remove", "s")
        assert time.monotonic() - started < 0.7
        assert proxy.ask().status == 404
        assert old.result(timeout=3).status == 200
        websocket.send(b"still here\n")
        assert websocket.reader.readline() == b"still here\n"


@pytest.mark.parametrize("flag", ["--health-check-interval", "--health-check-timeout"])
def test_case_100_an_interval_of_zero_is_refused(proxy: Proxy, t1: Target, flag: str) -> None:
    """Deviation D2: exit 1, and the server survives."""
    proxy.refuse("deploy", "s", "--target", t1.address, flag, "0s")
    proxy.succeed("list")
