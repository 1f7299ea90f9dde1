"""Protections that this proxy alone has: each off by default, each for one service."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.http2 import Http2
from tests.conformance.proxy_process import IS_OURS, Proxy, child_processes, find_child, wait_until
from tests.conformance.raw_http import WEBSOCKET, Headers, basic, head
from tests.conformance.scripted_target import Target

pytestmark = pytest.mark.skipif(not IS_OURS, reason="the reference has no protections")

OTHER, THIRD = "127.0.0.2", "127.0.0.3"
BUFFERS = ("--buffer-requests", "--buffer-responses")

either_way = pytest.mark.parametrize("flags", [(), BUFFERS], ids=["streamed", "buffered"])


# -- networks


@either_way
def test_denied_networks(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """403 with its page; others are served; another service is not concerned."""
    proxy.deploy("s", t1, "--deny", "127.0.0.2/31,10.0.0.0/8", *flags)
    proxy.deploy("free", t1, "--host", "free.com")
    refused = proxy.ask(source=OTHER)
    assert refused.status == 403
    assert "403 — Forbidden" in refused.body.decode()
    assert proxy.ask(source=THIRD).status == 403
    assert [proxy.ask(source=source).status for source in ("127.0.0.1", "127.0.0.4")] == [200, 200]
    assert proxy.ask(host="free.com", source=OTHER).status == 200
    assert len(t1.requests) == 3


def test_allowed_networks(proxy: Proxy, t1: Target) -> None:
    """Nobody else is served, not even while the service is stopped, and `deny` wins."""
    proxy.deploy("s", t1, "--allow", "127.0.0.2,127.0.0.3", "--deny", "127.0.0.3/32")
    assert [proxy.ask(source=source).status for source in ("127.0.0.1", OTHER, THIRD)] == [403, 200, 403]
    proxy.succeed("stop", "s")
    assert [proxy.ask("/up", source=source).status for source in ("127.0.0.1", OTHER)] == [403, 200]


def test_networks_may_be_ipv6(proxy: Proxy, t1: Target) -> None:
    """A prefix of any length; IPv4 inside IPv6 is IPv4."""
    trusted = ("--trusted-proxy", "::ffff:127.0.0.1")
    proxy.deploy("s", t1, *trusted, "--deny", "2001:db8:8000::/33,192.0.2.0/255.255.255.0")
    statuses = {
        "2001:db8:8000::1": 403,
        "2001:db8:7fff::1": 200,
        "::ffff:192.0.2.9": 403,
        "[2001:db8:9000::1]:443": 403,
    }
    for address, status in statuses.items():
        assert proxy.ask(headers=[("X-Forwarded-For", address)]).status == status, address


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--deny", "10.0.0.0/33"), 'invalid network "10.0.0.0/33" for "--deny" flag'),
        (("--allow", "example.com"), 'invalid network "example.com" for "--allow" flag'),
        (("--trusted-proxy", "10.0.0.1,x"), 'invalid network "x" for "--trusted-proxy" flag'),
        (("--rate-limit", "-1"), 'invalid argument "-1" for "--rate-limit" flag'),
        (("--rate-limit", "nan"), 'invalid argument "nan" for "--rate-limit" flag'),
        (("--body-limit", "-1"), "service options invalid: limits must not be negative"),
        (("--security-header", "no colon"), "service options invalid: security-header must be like 'Name: value'"),
        (("--security-header", "A: b\r\nC: d"), "service options invalid: security-header must be like"),
        (("--basic-auth-file", "/nowhere"), "unable to load basic auth users"),
        (("--basic-auth-realm", "a\nb"), "service options invalid: basic-auth-realm must be printable ASCII"),
    ],
)
def test_wrong_settings_are_refused(proxy: Proxy, t1: Target, flags: tuple[str, ...], message: str) -> None:
    """Nothing is deployed half protected."""
    assert proxy.refuse("deploy", "s", "--target", t1.address, *flags).startswith(message)
    assert proxy.listing() == []


# -- trusted proxies


def test_only_trusted_proxies_speak_for_others(proxy: Proxy, t1: Target) -> None:
    """X-Forwarded-* and the client-address header are dropped unless a trusted proxy sent them."""
    proxy.deploy("s", t1, "--trusted-proxy", "127.0.0.1,10.0.0.0/8", "--client-ip-header", "True-Client-IP")
    forged: Headers = [
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil"),
        ("True-Client-IP", "8.8.8.8"),
    ]
    seen = proxy.ask(headers=[*forged, ("True_Client-IP", "8.8.8.8")], source=OTHER)
    assert seen.seen_header("X-Forwarded-For") == OTHER
    assert seen.seen_header("X-Forwarded-Proto") == "http"
    assert seen.seen_header("X-Forwarded-Host") == "example.com"
    assert "8.8.8.8" not in [value for _, value in seen.seen["headers"]]
    seen = proxy.ask(headers=forged[:3])
    assert seen.seen_header("X-Forwarded-For") == "9.9.9.9, 127.0.0.1"
    assert seen.seen_header("X-Forwarded-Proto") == "https"
    assert seen.seen_header("X-Forwarded-Host") == "evil"
    assert proxy.ask(headers=forged).seen_header("X-Forwarded-For") == "8.8.8.8, 127.0.0.1"


@pytest.mark.parametrize(
    ("received", "client", "forwarded"),
    [
        ("6.6.6.6, 9.9.9.9", "9.9.9.9", "9.9.9.9, 127.0.0.1"),
        ("6.6.6.6, 9.9.9.9, 10.1.1.1", "9.9.9.9", "9.9.9.9, 10.1.1.1, 127.0.0.1"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1", "10.1.1.1, 10.2.2.2, 127.0.0.1"),
        ("9.9.9.9, rubbish, 10.1.1.1", "10.1.1.1", "10.1.1.1, 127.0.0.1"),
        ("9.9.9.9, rubbish", "127.0.0.1", "127.0.0.1"),
        ("", "127.0.0.1", "127.0.0.1"),
        ("9.9.9.9:1234", "9.9.9.9", "9.9.9.9:1234, 127.0.0.1"),
        ("  9.9.9.9  ,10.1.1.1,", "9.9.9.9", "9.9.9.9, 10.1.1.1, 127.0.0.1"),
    ],
)
def test_the_client_is_the_rightmost_untrusted_address(
    proxy: Proxy, t1: Target, received: str, client: str, forwarded: str
) -> None:
    """Addresses left of it may be invented by the client: they are neither believed nor passed on."""
    proxy.deploy("s", t1, "--trusted-proxy", "127.0.0.1,10.0.0.0/8", "--deny", "6.6.6.6")
    path = f"/rightmost/{abs(hash(received))}"
    seen = proxy.ask(path, headers=[("X-Forwarded-For", received)])
    assert seen.seen_header("X-Forwarded-For") == forwarded
    assert proxy.access_log(path)[0]["remote_addr"] == client


# -- rate


@either_way
def test_request_rate(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """A burst passes, then 429 with Retry-After; each client has a budget of its own, which comes back with time."""
    proxy.deploy(f"rate{len(flags)}", t1, "--rate-limit", "0.5", "--rate-limit-burst", "3", *flags)
    with proxy.connect() as connection:
        answers = [connection.ask() for _ in range(6)]
        assert [answer.status for answer in answers] == [200] * 4 + [429] * 2
        assert answers[4].header("Retry-After") in ("1", "2")
        assert "429 — Too Many Requests" in answers[4].body.decode()
        assert proxy.ask(source=OTHER).status == 200
        wait_until(lambda: connection.ask().status == 200)
        assert connection.ask().status == 429
    assert len(t1.requests) == 6


def test_rate_below_one_and_the_default_burst(proxy: Proxy, t1: Target) -> None:
    """A fraction is a rate by the minute; without a burst, one second's worth may come at once."""
    proxy.deploy("slow", t1, "--host", "slow.com", "--rate-limit", "0.05")
    assert [proxy.ask(host="slow.com").status for _ in range(3)] == [200, 200, 429]
    assert int(proxy.ask(host="slow.com").header("Retry-After") or 0) > 10
    proxy.deploy("fast", t1, "--host", "fast.com", "--rate-limit", "4")
    started = time.monotonic()
    passed = 0
    while proxy.ask(host="fast.com").status == 200:
        passed += 1
    assert 5 <= passed <= 6 + 4 * (time.monotonic() - started)


def test_an_ipv6_client_is_its_network(proxy: Proxy, t1: Target) -> None:
    """Nobody escapes a limit with the addresses of the own /64."""
    proxy.deploy("six", t1, "--trusted-proxy", "127.0.0.1", "--rate-limit", "0.01", "--rate-limit-burst", "0")
    addresses = ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")
    assert [proxy.ask(headers=[("X-Forwarded-For", each)]).status for each in addresses] == [200, 429, 200]


def test_many_clients_at_once(proxy: Proxy, t1: Target) -> None:
    """No budget is spent twice: what many connections send together is limited like one (both workers)."""
    proxy.deploy("many", t1, "--rate-limit", "1", "--rate-limit-burst", "20")
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: proxy.ask().status, range(80)))
    assert set(statuses) == {200, 429}
    assert 21 <= statuses.count(200) <= 23 + (time.monotonic() - started)


# -- requests at once


@either_way
def test_requests_at_once(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """One more than the limit is 429; a place is free again once a request ended, however it ended."""
    proxy.deploy("s", t1, "--connection-limit", "2", *flags)
    with proxy.connect() as first, proxy.connect() as second:
        first.send(head("GET", "/sleep?s=1"))
        second.send(head("GET", "/sleep?s=30"))
        wait_until(lambda: len(t1.requests) == 2)
        refused = proxy.ask()
        assert (refused.status, refused.header("Retry-After")) == (429, "1")
        assert proxy.ask(source=OTHER).status == 200
        assert first.read().status == 200
        wait_until(lambda: _status(proxy) == 200)  # a request ends a moment after its answer
    wait_until(lambda: t1.lost_clients == 1)
    for path in ("/die", "/garbage", "/halfway", "/echo"):
        proxy.ask(path)
    with proxy.connect() as first, proxy.connect() as second:
        first.send(head("GET", "/sleep?s=5"))
        wait_until(lambda: t1.requests[-1].target == "/sleep?s=5")
        wait_until(lambda: second.ask().status == 200)


def test_a_refused_request_has_no_place(proxy: Proxy, t1: Target) -> None:
    """Nor has the rest of its body, which the client may go on sending."""
    proxy.deploy("s", t1, "--connection-limit", "1")
    with proxy.connect() as first, proxy.connect() as refused:
        first.send(head("GET", "/sleep?s=1"))
        wait_until(lambda: t1.requests)
        refused.send(head("POST", "/echo", headers=[("Content-Length", "1000000")]) + b"x")
        assert refused.read().status == 429
        assert first.read().status == 200
        wait_until(lambda: _status(proxy) == 200)  # a request ends a moment after its answer


def test_a_killed_worker_gives_its_places_back(own_proxy: Proxy, t1: Target) -> None:
    """The connections of a killed worker no longer count for its clients (24.1)."""
    own_proxy.start().deploy("s", t1, "--connection-limit", "1")
    with own_proxy.connect() as lost:
        lost.send(head("GET", "/sleep?s=20"))
        wait_until(lambda: t1.requests)
        assert own_proxy.ask().status == 429
        for worker in child_processes(find_child(own_proxy, "nginx: master")):
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: _status(own_proxy) == 200)


def _status(proxy: Proxy) -> int | None:
    try:
        return proxy.ask().status
    except OSError:
        return None


def test_websockets_count_while_they_are_open(proxy: Proxy, t1: Target) -> None:
    """An upgraded connection occupies its place until it closes."""
    proxy.deploy("s", t1, "--connection-limit", "1")
    with proxy.connect() as websocket:
        assert websocket.ask(path="/ws", headers=WEBSOCKET).status == 101
        assert proxy.ask().status == 429
    wait_until(lambda: proxy.ask().status == 200)


# -- bodies


@either_way
def test_body_limit(proxy: Proxy, t1: Target, flags: tuple[str, ...]) -> None:
    """413 for an announced length at once, for chunks once they are too many; exactly the limit is fine."""
    proxy.deploy("s", t1, "--body-limit", "5000", *flags)
    chunked: Headers = [("Transfer-Encoding", "chunked")]

    def chunks(count: int) -> bytes:
        return b"3e8\r\n" + b"c" * 1000 + b"\r\n" if count == 1 else chunks(1) * count

    assert proxy.ask(method="POST", body=b"x" * 5000).seen["body_bytes"] == 5000
    assert proxy.ask(method="PUT", headers=chunked, body=chunks(5) + b"0\r\n\r\n").seen["body_bytes"] == 5000
    assert proxy.ask(method="GET", headers=chunked, body=chunks(5) + b"1\r\nx\r\n0\r\n\r\n").status == 413
    with proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=[("Content-Length", "5001")]))
        refused = connection.read()
        assert refused.status == 413
        assert "413 — Content Too Large" in refused.body.decode()
    with proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=chunked) + chunks(40))  # and no end
        assert connection.read().status == 413
    assert len(t1.requests) == 2


def test_the_smaller_limit_counts(proxy: Proxy, t1: Target) -> None:
    """Beside `--max-request-body`, which holds for buffered requests."""
    limits = ("--buffer-requests", "--max-request-body", "2000", "--body-limit", "1000")
    proxy.deploy("s", t1, *limits)
    assert [proxy.ask(method="POST", body=b"x" * size).status for size in (1000, 1001)] == [200, 413]


def test_limits_hold_over_http2(proxy: Proxy, t1: Target, certificates: Callable[[str], tuple[Path, Path]]) -> None:
    """A body of any length may come without announcing it; each request of a connection counts."""
    certificate, key = map(str, certificates("a.com"))
    tls = ("--host", "a.com", "--tls", "--tls-certificate-path", certificate, "--tls-private-key-path", key)
    rate = ("--rate-limit", "0.01", "--rate-limit-burst", "5")
    proxy.deploy("two", t1, *tls, "--body-limit", "1000", *rate)
    request = [(":method", "POST"), (":scheme", "https"), (":authority", "a.com"), (":path", "/echo")]
    connection = Http2(proxy.https_port, "a.com")
    lengths = (1000, 1001, 1000, 1001)
    announced = [[("content-length", str(length))] if number < 2 else [] for number, length in enumerate(lengths)]
    answers = [connection.ask(request + more, b"x" * length) for length, more in zip(lengths, announced, strict=True)]
    assert answers == ["200", "413", "200", "413"]
    assert [connection.ask(request) for _ in range(3)] == ["200", "200", "429"]
    connection.close()
    assert [len(seen.body) for seen in t1.requests] == [1000, 1000, 0, 0]


# -- response headers


def test_security_headers(proxy: Proxy, t1: Target, certificates: Callable[[str], tuple[Path, Path]]) -> None:
    """Added where the target did not set them, to error pages too; Strict-Transport-Security over TLS only."""
    certificate, key = map(str, certificates("a.com"))
    tls = ("--tls", "--tls-redirect=false", "--tls-certificate-path", certificate, "--tls-private-key-path", key)
    wanted = ("Strict-Transport-Security: max-age=9", "X-Frame-Options: DENY", "Permissions-Policy: a=(), b=()")
    flags = [word for header in wanted for word in ("--security-header", header)]
    proxy.deploy("s", t1, "--host", "a.com", *tls, *flags)
    plain = proxy.ask(host="a.com")
    assert plain.header("Strict-Transport-Security") is None
    assert plain.all("X-Frame-Options") == ["DENY"]
    secure = proxy.ask(host="a.com", server_name="a.com")
    assert secure.header("Strict-Transport-Security") == "max-age=9"
    assert secure.header("Permissions-Policy") == "a=(), b=()"
    own = proxy.ask("/hdrs?h=x-frame-options=SAMEORIGIN", host="a.com", server_name="a.com")
    assert own.all("X-Frame-Options") == ["SAMEORIGIN"]
    for path in ("/die", "/status?c=500"):
        assert proxy.ask(path, host="a.com").all("X-Frame-Options") == ["DENY"]


# -- what comes with it


def test_protections_are_replaced_by_each_deploy(proxy: Proxy, t1: Target) -> None:
    """A deploy without them takes them off, as with every other option (3.3)."""
    proxy.deploy("s", t1, "--deny", "127.0.0.1")
    assert proxy.ask().status == 403
    proxy.deploy("s", t1)
    assert proxy.ask().status == 200


def test_held_requests_are_counted_once(proxy: Proxy, t1: Target, t2: Target, users: Path) -> None:
    """A request that waits through a pause and a deploy keeps its place and its password, and finds the new target."""
    flags = ("--rate-limit", "1", "--rate-limit-burst", "1", "--connection-limit", "2", "--basic-auth-file", str(users))
    proxy.deploy("held", t1, *flags)
    proxy.succeed("pause", "held")
    with proxy.connect() as connection:
        connection.send(head("GET", "/echo", headers=basic("bob", "builder")))
        time.sleep(0.3)
        proxy.deploy("held", t2, *flags)
        proxy.succeed("resume", "held")
        assert connection.read().served_by == "T2"


def test_protections_survive_a_restart(own_proxy: Proxy, t1: Target, users: Path) -> None:
    """They are in the state file beside the reference's keys, under one name that it does not know (4)."""
    flags = ("--deny", "127.0.0.2", "--basic-auth-file", str(users), "--security-header", "X-A: b, c")
    own_proxy.start().deploy("s", t1, *flags)
    (record,) = json.loads(own_proxy.state_path.read_text())
    assert record.pop("pykamal_protection")["deny"] == ["127.0.0.2"]
    own_proxy.deploy("t", t1, "--host", "t.com")
    assert all("pykamal_protection" not in each for each in json.loads(own_proxy.state_path.read_text())[1:])
    own_proxy.restart()
    assert own_proxy.ask(source=OTHER).status == 403
    assert own_proxy.ask().status == 401
    assert own_proxy.ask(headers=basic("bob", "builder")).header("X-A") == "b, c"
    users.unlink()
    own_proxy.restart()
    assert own_proxy.ask(headers=basic("bob", "builder")).status == 404  # rather than open to everybody
    assert own_proxy.ask(host="t.com").status == 200


def test_a_state_file_without_protections(own_proxy: Proxy, t1: Target) -> None:
    """The reference writes what it knows: its file is read as it is, and our key with rubbish is quarantined."""
    own_proxy.start().deploy("s", t1, "--deny", "127.0.0.1")
    own_proxy.stop()
    (record,) = json.loads(own_proxy.state_path.read_text())
    broken = record | {"name": "broken", "pykamal_protection": {"deny": ["nonsense"]}}
    broken["options"] = broken["options"] | {"hosts": ["broken.com"]}
    del record["pykamal_protection"]
    own_proxy.state_path.write_text(json.dumps([record, broken]))
    own_proxy.start()
    assert own_proxy.ask().status == 200
    assert own_proxy.ask(host="broken.com", path="/").status == 200  # by the service for any host, not by `broken`
    assert [row[0] for row in own_proxy.listing()] == ["s"]
    assert own_proxy.log_lines("Unable to restore service")[0]["service"] == "broken"


def test_a_state_file_of_an_older_build_protects(own_proxy: Proxy, t1: Target) -> None:
    """Older builds wrote every protection, with null for a burst that was not given; their files keep loading."""
    own_proxy.start().deploy("s", t1, "--deny", "127.0.0.1")
    own_proxy.stop()
    (record,) = json.loads(own_proxy.state_path.read_text())
    networks = {"trusted_proxies": [], "allow": [], "deny": ["127.0.0.9"]}
    limits = {"rate_limit": 0.01, "rate_limit_burst": None, "connection_limit": 0, "body_limit": 10}
    password = {"basic_auth_file": "", "basic_auth_realm": "Restricted", "basic_auth_except": []}
    record["pykamal_protection"] = networks | limits | password | {"security_headers": ["X-A: b"]}
    own_proxy.state_path.write_text(json.dumps([record]))
    own_proxy.start()
    assert own_proxy.ask(source="127.0.0.9").status == 403
    assert own_proxy.ask(source="127.0.0.2", method="POST", body=b"x" * 11).status == 413
    answers = [own_proxy.ask() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].header("X-A") == "b"
