"""Protections that this proxy alone has (issue 5): each off by default, each for one service."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bcrypt
import pytest

from tests.conformance.http2 import Http2
from tests.conformance.proxy_process import IS_OURS, Proxy, child_processes, find_child, wait_until
from tests.conformance.raw_http import WEBSOCKET, Headers, head
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
    """From elsewhere X-Forwarded-* is dropped, and so is the client-address header."""
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
    """What stands left of it may be invented by the client, and is neither believed nor passed on."""
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
        assert proxy.ask().status == 200
    wait_until(lambda: t1.lost_clients == 1)
    for path in ("/die", "/garbage", "/halfway", "/echo"):
        proxy.ask(path)
    with proxy.connect() as first, proxy.connect() as second:
        first.send(head("GET", "/sleep?s=5"))
        wait_until(lambda: t1.requests[-1].target == "/sleep?s=5")
        assert second.ask().status == 200


def test_a_refused_request_has_no_place(proxy: Proxy, t1: Target) -> None:
    """Nor has the rest of its body, which the client may go on sending."""
    proxy.deploy("s", t1, "--connection-limit", "1")
    with proxy.connect() as first, proxy.connect() as refused:
        first.send(head("GET", "/sleep?s=1"))
        wait_until(lambda: t1.requests)
        refused.send(head("POST", "/echo", headers=[("Content-Length", "1000000")]) + b"x")
        assert refused.read().status == 429
        assert first.read().status == 200
        assert proxy.ask().status == 200


def test_a_killed_worker_gives_its_places_back(own_proxy: Proxy, t1: Target) -> None:
    """What its clients had open is gone with it (24.1)."""
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


# -- passwords


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """alice has the password `wonder land` (bcrypt), bob `builder` (sha512-crypt)."""
    file = tmp_path / "users"
    bob = "$6$saltsalt$AMApe3UxKRHFGgpM1NDN5e0tMZ6laQYyoi896lWiBlxd7Nwbszp8z77oH.h4MAG5Y14p5yLYfTD/sjuLtHEDG/"
    file.write_text(f"alice:{bcrypt.hashpw(b'wonder land', bcrypt.gensalt(4)).decode()}\nbob:{bob}\n")
    return file


def _basic(user: str, password: str) -> Headers:
    return [("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]


@either_way
def test_basic_authentication(proxy: Proxy, t1: Target, users: Path, flags: tuple[str, ...]) -> None:
    """401 with a challenge; the right password passes, and does not reach the target."""
    realm = ("--basic-auth-realm", 'The "Staging"')
    proxy.deploy(f"basic{len(flags)}", t1, "--basic-auth-file", str(users), *realm, *flags)
    for method in ("GET", "POST"):
        refused = proxy.ask(method=method)
        assert refused.status == 401
        assert refused.header("WWW-Authenticate") == 'Basic realm="The \\"Staging\\"", charset="UTF-8"'
    assert "401 — Unauthorized" in refused.body.decode()
    for user, password in (("alice", "wonder"), ("alice", ""), ("nobody", "wonder land"), ("", ""), ("alice", "x:y")):
        assert proxy.ask(headers=_basic(user, password), source=OTHER).status == 401
    passed = proxy.ask(headers=_basic("alice", "wonder land"))
    assert passed.status == 200
    assert passed.seen_header("Authorization") is None
    with proxy.connect() as connection:
        for _ in range(3):
            assert connection.ask("POST", headers=_basic("alice", "wonder land"), body=b"b").status == 200
    assert len(t1.requests) == 4


def test_what_is_no_password(proxy: Proxy, t1: Target, users: Path) -> None:
    """Other schemes, broken encodings, zero bytes and giants are 401 and cost nothing."""
    proxy.deploy("s", t1, "--basic-auth-file", str(users))
    encoded = base64.b64encode(b"alice:wonder land\0").decode()
    for value in ("Bearer abc", "Basic", "Basic !!!", "Basic YWxpY2U=", f"Basic {encoded}", "Basic " + "A" * 5000):
        assert proxy.ask(headers=[("Authorization", value)]).status == 401, value
    assert proxy.ask(headers=_basic("bob", "builder")).status == 200
    assert (
        proxy.ask(headers=[("Authorization", _basic("bob", "builder")[0][1].replace("Basic", "bAsIc"))]).status == 200
    )


def test_paths_without_password(proxy: Proxy, t1: Target, users: Path) -> None:
    """Exactly these, decoded: neither what lies below nor what looks alike."""
    proxy.deploy("s", t1, "--basic-auth-file", str(users), "--basic-auth-except", "/up,/hook")
    statuses = {
        "/up": 200,
        "/hook?x=1": 200,
        "/%68ook": 200,
        "/hook/": 401,
        "/hook/x": 401,
        "//hook": 401,
        "/Hook": 401,
    }
    for path, status in statuses.items():
        assert proxy.ask(path).status == status, path


def test_a_changed_password_counts_at_once(proxy: Proxy, t1: Target, users: Path) -> None:
    """Nothing remembered survives the deploy that brings another file."""
    deploy = ("--basic-auth-file", str(users))
    proxy.deploy("s", t1, *deploy)
    assert proxy.ask(headers=_basic("bob", "builder")).status == 200
    users.write_text(f"bob:{bcrypt.hashpw(b'other', bcrypt.gensalt(4)).decode()}\n")
    assert proxy.ask(headers=_basic("bob", "builder")).status == 200  # read at deploy, like certificates
    proxy.deploy("s", t1, *deploy)
    assert proxy.ask(headers=_basic("bob", "builder")).status == 401
    assert proxy.ask(headers=_basic("bob", "other")).status == 200


def test_guessing_is_slowed_down(proxy: Proxy, t1: Target, users: Path) -> None:
    """After ten failures in a minute a client gets 429, unless its password is already known to be right."""
    proxy.deploy("guessed", t1, "--basic-auth-file", str(users), "--trusted-proxy", "127.0.0.1")

    def ask(client: str, password: str) -> int:
        return proxy.ask(headers=[*_basic("alice", password), ("X-Forwarded-For", client)]).status

    assert ask("192.0.2.1", "wonder land") == 200
    assert [ask("192.0.2.1", f"guess {number}") for number in range(12)] == [401] * 10 + [429] * 2
    assert ask("192.0.2.1", "wonder land") == 200
    assert ask("192.0.2.2", "another guess") == 401


def test_hashing_holds_nobody_up(proxy: Proxy, t1: Target, tmp_path: Path) -> None:
    """While passwords are hashed, which takes a good part of a second, others are served; leavers do no harm."""
    users = tmp_path / "users"
    users.write_text(f"alice:{bcrypt.hashpw(b'right', bcrypt.gensalt(12)).decode()}\n")
    proxy.deploy("s", t1, "--host", "closed.com", "--basic-auth-file", str(users))
    proxy.deploy("open", t1)
    with contextlib.ExitStack() as opened:
        sources = (f"127.0.0.{number}" for number in range(10, 14))
        connections = [opened.enter_context(proxy.connect(source=source)) for source in sources]
        for connection in connections:
            connection.send(head("GET", "/echo", host="closed.com", headers=_basic("alice", "wrong")))
        assert min(proxy.ask().seconds for _ in range(20)) < 0.3
        connections[-1].close()
        assert [connection.read().status for connection in connections[:-1]] == [401] * 3
    assert proxy.ask(host="closed.com", headers=_basic("alice", "right")).status == 200


def test_a_password_that_comes_many_times_at_once_is_hashed_once(proxy: Proxy, t1: Target, tmp_path: Path) -> None:
    """As a browser sends it with all parts of a page, right after a deploy."""
    users = tmp_path / "users"

    def spent(requests: int) -> int:
        """Processor time of nginx in ticks for so many requests at once, with a hash that is new."""
        users.write_text(f"alice:{bcrypt.hashpw(b'right', bcrypt.gensalt(11)).decode()}\n")
        proxy.deploy("page", t1, "--basic-auth-file", str(users))
        before = proxy.worker_ticks()
        with ThreadPoolExecutor(requests) as pool:
            answers = pool.map(lambda _: proxy.ask(headers=_basic("alice", "right")).status, range(requests))
            assert set(answers) == {200}
        return proxy.worker_ticks() - before

    assert spent(12) < 4 * spent(1)


def test_redirects_come_before_the_password(
    proxy: Proxy, t1: Target, users: Path, certificates: Callable[[str], tuple[Path, Path]]
) -> None:
    """Nobody is asked for a password over plain HTTP where the service has TLS."""
    certificate, key = map(str, certificates("a.com"))
    tls = ("--tls", "--tls-certificate-path", certificate, "--tls-private-key-path", key)
    proxy.deploy("s", t1, "--host", "a.com", *tls, "--basic-auth-file", str(users))
    assert proxy.ask(host="a.com").status == 301
    assert proxy.ask(host="a.com", server_name="a.com").status == 401
    assert proxy.ask(host="a.com", server_name="a.com", headers=_basic("bob", "builder")).status == 200


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
        connection.send(head("GET", "/echo", headers=_basic("bob", "builder")))
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
    assert own_proxy.ask(headers=_basic("bob", "builder")).header("X-A") == "b, c"
    users.unlink()
    own_proxy.restart()
    assert own_proxy.ask(headers=_basic("bob", "builder")).status == 404  # rather than open to everybody
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


# -- the whole proxy


BODY_TIMEOUT = {"KAMAL_PROXY_CLIENT_BODY_TIMEOUT": "2s", "KAMAL_PROXY_PROXY_PROTOCOL_FROM": ""}


def test_header_and_body_timeouts(own_proxy: Proxy, t1: Target) -> None:
    """A client that drips is cut off; one that pauses for less is served (`run` flags)."""
    own_proxy.start("--client-header-timeout", "1s", environment=BODY_TIMEOUT)
    own_proxy.deploy("s", t1, "--buffer-requests")
    with own_proxy.connect() as headers, own_proxy.connect() as body, own_proxy.connect() as fine:
        body.send(head("POST", "/echo", headers=[("Content-Length", "3")]) + b"a")
        fine.send(head("POST", "/echo", headers=[("Content-Length", "2")]) + b"a")
        headers.send(b"GET / HTTP/1.1\r\n")
        for number in range(5):
            time.sleep(0.25)
            if number == 2:
                fine.send(b"b")
            try:
                headers.send(b"X-%d: drip\r\n" % number)
            except OSError:
                break
        assert headers.is_closed_within(5)
        assert body.is_closed_within(5)
        assert fine.read().status == 200
    assert [request.body for request in t1.requests] == [b"ab"]
    assert {record["status"] for record in own_proxy.access_log("/echo")} == {200, 408}


def test_wrong_limits_do_not_start(own_proxy: Proxy) -> None:
    """Exit 1 with the reason, before anything listens."""
    assert own_proxy.refuse("run", "--client-header-timeout", "0s") == "client-header-timeout must be at least 1ms"
    message = 'invalid network "x" for "--proxy-protocol-from" flag'
    assert own_proxy.refuse("run", "--proxy-protocol-from", "x") == message


PROXY_LINE = b"PROXY TCP4 192.0.2.9 127.0.0.1 4444 80\r\n"


def test_proxy_protocol(own_proxy: Proxy, t1: Target, certificates: Callable[[str], tuple[Path, Path]]) -> None:
    """The client's address comes from the header of a trusted peer, in both versions and under TLS."""
    certificate, key = map(str, certificates("a.com"))
    own_proxy.start(environment={"KAMAL_PROXY_PROXY_PROTOCOL_FROM": "127.0.0.1, 10.0.0.0/8"})
    own_proxy.deploy("s", t1, "--deny", "192.0.2.8")
    tls = ("--tls", "--tls-certificate-path", certificate, "--tls-private-key-path", key)
    own_proxy.deploy("secure", t1, "--host", "a.com", *tls)
    version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("192.0.2.9") + b"\x7f\0\0\x01\x11\x5c\0\x50"
    for preface in (PROXY_LINE, version_2):
        with own_proxy.connect(preface=preface) as connection:
            assert connection.ask().seen_header("X-Forwarded-For") == "192.0.2.9"
    with own_proxy.connect(preface=PROXY_LINE, server_name="a.com") as connection:
        assert connection.ask(host="a.com").seen_header("X-Forwarded-For") == "192.0.2.9"
    with own_proxy.connect(preface=PROXY_LINE.replace(b".9 ", b".8 ")) as connection:
        assert connection.ask().status == 403


def test_proxy_protocol_from_elsewhere(own_proxy: Proxy, t1: Target) -> None:
    """Its claim is not believed; a connection without the header is closed."""
    own_proxy.start("--proxy-protocol-from", "127.0.0.2").deploy("s", t1)
    with own_proxy.connect(preface=PROXY_LINE) as connection:
        assert connection.ask().seen_header("X-Forwarded-For") == "127.0.0.1"
    with own_proxy.connect() as connection, pytest.raises(ConnectionError):
        connection.ask()


def test_proxy_protocol_in_all_its_forms(own_proxy: Proxy, t1: Target) -> None:
    """IPv6, IPv4 written as IPv6, and what names no client; a header that is none ends the connection."""
    own_proxy.start("--proxy-protocol-from", "127.0.0.1").deploy("s", t1, "--deny", "198.51.100.0/24")

    def second(command: int, family: int, addresses: bytes) -> bytes:
        return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, family]) + len(addresses).to_bytes(2) + addresses

    ipv6 = socket.inet_pton(socket.AF_INET6, "2001:db8::9") * 2
    forms = {
        b"PROXY TCP6 2001:db8::9 ::1 4444 80\r\n": (200, "2001:db8::9"),
        second(1, 0x21, ipv6 + b"\x11\x5c\0\x50" + b"\x04\0\x03abc"): (200, "2001:db8::9"),
        b"PROXY TCP6 ::ffff:198.51.100.7 ::1 4444 80\r\n": (403, None),
        b"PROXY UNKNOWN\r\n": (200, "127.0.0.1"),
        second(0, 0, b""): (200, "127.0.0.1"),
    }
    for preface, (status, client) in forms.items():
        with own_proxy.connect(preface=preface) as connection:
            answer = connection.ask()
        assert answer.status == status, preface
        assert client is None or answer.seen_header("X-Forwarded-For") == client
    broken = (
        b"PROXY TCP4 nobody 127.0.0.1 1 2\r\n",
        b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
        second(1, 0x11, b"\1\2\3\4"),
    )
    for preface in broken:
        with own_proxy.connect(preface=preface) as connection, pytest.raises(ConnectionError):
            connection.ask()
