"""Pause, stop, resume: spec/proxy.md 23.6 (cases 115 to 130) and section 11."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.conformance.proxy_process import Proxy, wait_until
from tests.conformance.raw_http import WEBSOCKET, head
from tests.conformance.scripted_target import Target
from tests.conformance.test_health_deploy import arrives, in_background


def test_case_115_a_held_request_proceeds_on_resume(proxy: Proxy, t1: Target) -> None:
    """It is neither answered nor forwarded before."""
    proxy.deploy("s", t1)
    proxy.succeed("pause", "s")
    held = in_background(proxy, "/echo")
    time.sleep(0.5)
    assert not held.done()
    assert t1.requests == []
    proxy.succeed("resume", "s")
    assert held.result(timeout=0.3).served_by == "T1"


def test_case_116_a_held_request_chooses_its_target_after_resume(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Pause, deploy, resume: it is served by the new target."""
    proxy.deploy("s", t1)
    proxy.succeed("pause", "s")
    held = in_background(proxy, "/echo")
    time.sleep(0.2)
    proxy.deploy("s", t2)
    assert not held.done()
    proxy.succeed("resume", "s")
    assert held.result(timeout=1).served_by == "T2"
    assert t1.requests == []


def test_a_held_request_stays_with_its_service(proxy: Proxy, t1: Target, t2: Target, t3: Target) -> None:
    """A held request goes to its own service as it is after the pause, and to no other if that is removed (9.1, 11)."""
    proxy.deploy("other", t3)
    proxy.deploy("s", t1, "--host", "a.com", "--path-prefix", "/a")
    proxy.succeed("pause", "s", "--max-pause", "1500ms")
    with proxy.connect() as connection:
        connection.send(head("GET", "/a/echo", host="a.com"))
        time.sleep(0.1)
        proxy.deploy("s", t2, "--host", "b.com")
        proxy.succeed("resume", "s")
        seen = connection.read().seen
        assert (seen["name"], seen["target"]) == ("T2", "/a/echo")
        proxy.succeed("pause", "s", "--max-pause", "800ms")
        connection.send(head("GET", "/echo", host="b.com"))
        time.sleep(0.1)
        proxy.succeed("remove", "s")
        assert connection.read().status == 504


def test_case_117_a_hold_ends_after_the_maximum(proxy: Proxy, t1: Target) -> None:
    """504 after `--max-pause`, at once when it is 0."""
    proxy.deploy("s", t1)
    proxy.succeed("pause", "s", "--max-pause", "500ms")
    started = time.monotonic()
    assert proxy.ask().status == 504
    assert 0.45 < time.monotonic() - started < 1
    proxy.succeed("pause", "s", "--max-pause", "0s")
    started = time.monotonic()
    assert proxy.ask().status == 504
    assert time.monotonic() - started < 0.3


def test_case_118_health_is_answered_while_paused(proxy: Proxy, t1: Target) -> None:
    """GET and HEAD for the exact path, query ignored; POST is held."""
    proxy.deploy("s", t1)
    proxy.succeed("pause", "s", "--max-pause", "300ms")
    for method, path in (("GET", "/up"), ("HEAD", "/up"), ("GET", "/up?x=1")):
        response = proxy.ask(path, method=method)
        assert (response.status, response.body) == (200, b"")
    assert proxy.ask("/up", method="POST").status == 504
    assert proxy.ask("/up/x").status == 504
    assert t1.requests == []


def test_case_119_the_health_path_is_the_targets(proxy: Proxy, t1: Target) -> None:
    """Behind a stripped prefix and with another path."""
    t1.health_path = "/alive"
    proxy.deploy("s", t1, "--path-prefix", "/api", "--health-check-path", "/alive")
    proxy.succeed("pause", "s", "--max-pause", "200ms")
    assert proxy.ask("/api/alive").status == 200
    assert proxy.ask("/api/up").status == 504


def test_case_120_pause_waits_for_what_is_in_flight(proxy: Proxy, t1: Target) -> None:
    """The state changes at once, the command returns after the drain."""
    proxy.deploy("s", t1)
    old = in_background(proxy, "/sleep?s=1")
    wait_until(arrives(t1, "/sleep"))
    started = time.monotonic()
    proxy.succeed("pause", "s")
    assert time.monotonic() - started > 0.6
    assert old.result(timeout=0.5).status == 200


def test_case_121_the_drain_of_a_pause_is_limited(proxy: Proxy, t1: Target) -> None:
    """Upgraded connections are closed at once, the rest is cancelled at the end of the time."""
    proxy.deploy("s", t1)
    old = in_background(proxy, "/sleep?s=5")
    wait_until(arrives(t1, "/sleep"))
    with proxy.connect() as websocket:
        websocket.ask(path="/ws", headers=WEBSOCKET)
        websocket.reader.readline()
        started = time.monotonic()
        pausing = proxy.begin("pause", "s", "--drain-timeout", "600ms")
        assert websocket.is_closed_within(0.5)
        assert pausing.wait(timeout=3) == 0
        pausing.communicate()
    assert 0.5 < time.monotonic() - started < 1.5
    assert old.result(timeout=1).status == 504
    proxy.succeed("resume", "s")
    assert proxy.ask().status == 200
    assert proxy.ask("/die").status == 502


def test_drains_that_end_together_cancel_each_their_own(proxy: Proxy, make_target: Callable[[str], Target]) -> None:
    """Any number of drains that end at the same moment cancel their own requests (9.2)."""
    names = [f"s{number}" for number in range(8)]
    for name in names:
        proxy.deploy(name, make_target(name), "--host", f"{name}.com")
    with ExitStack() as stack:
        connections = [stack.enter_context(proxy.connect()) for _ in names]
        for name, connection in zip(names, connections, strict=True):
            connection.send(head("GET", "/sleep?s=9", host=f"{name}.com"))
        time.sleep(0.2)
        for client in [proxy.begin("pause", name, "--drain-timeout", "500ms") for name in names]:
            assert client.communicate(timeout=5) == ("", "")
        responses = [connection.read() for connection in connections]
    assert [response.status for response in responses] == [504] * len(names)
    assert all(response.seconds < 5 for response in responses)


def test_case_122_a_deploy_keeps_the_pause(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Requests are still held."""
    proxy.deploy("s", t1)
    proxy.succeed("pause", "s", "--max-pause", "300ms")
    proxy.deploy("s", t2)
    assert proxy.listing()[0][4] == "paused"
    assert proxy.ask().status == 504


def test_case_123_stop_shows_its_message(proxy: Proxy, t1: Target) -> None:
    """HTML-escaped, on the 503 page."""
    proxy.deploy("s", t1)
    proxy.succeed("stop", "s", "--message", "back at <5> & counting")
    response = proxy.ask()
    assert response.status == 503
    assert b"back at &lt;5&gt; &amp; counting" in response.body
    assert proxy.listing()[0][4] == "stopped"


def test_case_124_stop_again_replaces_the_message(proxy: Proxy, t1: Target) -> None:
    """Without one the page has its default text."""
    proxy.deploy("s", t1)
    proxy.succeed("stop", "s")
    default = proxy.ask()
    assert default.status == 503
    assert "<title>503 — Service Temporarily Unavailable</title>" in default.body.decode()
    proxy.succeed("stop", "s", "--message", "another text")
    assert b"another text" in proxy.ask().body


def test_case_125_stop_releases_what_is_held(proxy: Proxy, t1: Target) -> None:
    """With 503 and the new message, at once."""
    proxy.deploy("s", t1)
    proxy.succeed("pause", "s")
    held = in_background(proxy, "/echo")
    time.sleep(0.2)
    proxy.succeed("stop", "s", "--message", "gone")
    response = held.result(timeout=0.5)
    assert response.status == 503
    assert b"gone" in response.body


def test_case_126_pause_after_stop_holds_again(proxy: Proxy, t1: Target) -> None:
    """The state is simply replaced."""
    proxy.deploy("s", t1)
    proxy.succeed("stop", "s")
    proxy.succeed("pause", "s")
    held = in_background(proxy, "/echo")
    time.sleep(0.2)
    assert not held.done()
    proxy.succeed("resume", "s")
    assert held.result(timeout=1).status == 200


def test_case_127_a_deploy_keeps_a_service_stopped(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Health is answered meanwhile."""
    proxy.deploy("s", t1)
    proxy.succeed("stop", "s")
    assert proxy.ask("/up").status == 200
    proxy.deploy("s", t2)
    assert proxy.ask().status == 503


def test_case_128_resume_of_a_running_service(proxy: Proxy, t1: Target) -> None:
    """Is fine."""
    proxy.deploy("s", t1)
    proxy.succeed("resume", "s")
    assert proxy.ask().status == 200


def test_case_129_resume_while_pause_drains(proxy: Proxy, t1: Target) -> None:
    """Deviation D5: requests are served."""
    proxy.deploy("s", t1)
    old = in_background(proxy, "/sleep?s=1.5")
    wait_until(arrives(t1, "/sleep"))
    pausing = proxy.begin("pause", "s")
    wait_until(lambda: proxy.listing()[0][4] == "paused")
    proxy.succeed("resume", "s")
    assert proxy.ask().status == 200
    assert pausing.wait(timeout=5) == 0
    pausing.communicate()
    assert old.result(timeout=1).status == 200


def test_what_comes_after_resume_outlives_the_drain_of_the_pause(proxy: Proxy, t1: Target) -> None:
    """Its end cancels only what a pause that is still in force keeps waiting for (9.2, deviation D5)."""
    proxy.deploy("s", t1)
    old = in_background(proxy, "/sleep?s=1.2")
    wait_until(arrives(t1, "/sleep?s=1.2"))
    pausing = proxy.begin("pause", "s", "--drain-timeout", "600ms")
    wait_until(lambda: proxy.listing()[0][4] == "paused")
    proxy.succeed("resume", "s")
    new = in_background(proxy, "/sleep?s=1.1")
    assert pausing.communicate(timeout=5) == ("", "")
    assert [old.result(timeout=2).status, new.result(timeout=2).status] == [200, 200]


def test_case_130_other_services_are_unaffected(proxy: Proxy, t1: Target, t2: Target) -> None:
    """A pause belongs to one service."""
    proxy.deploy("a", t1, "--host", "a.com")
    proxy.deploy("b", t2, "--host", "b.com")
    proxy.succeed("pause", "a")
    assert proxy.ask(host="b.com").served_by == "T2"


def test_deviation_d11_a_client_that_left_is_dropped(proxy: Proxy, t1: Target) -> None:
    """A held request whose client went away never reaches a target."""
    proxy.deploy("s", t1)
    proxy.succeed("pause", "s")
    with proxy.connect() as connection:
        connection.send(head("GET", "/vanished"))
        time.sleep(0.1)
    time.sleep(0.2)
    proxy.succeed("resume", "s")
    assert proxy.ask().status == 200
    assert [request.target for request in t1.requests] == ["/echo"]
