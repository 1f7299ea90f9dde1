"""Certificates for hosts that the application approves: spec/proxy.md 7.4 and 23.3 (case 73), with a real authority."""

from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conformance.acme_authority import Authority, handshake_fails, s_client, serial
from tests.conformance.proxy_process import IS_OURS, Proxy
from tests.conformance.raw_target import RawTarget
from tests.conformance.scripted_target import Received, Target

pytestmark = pytest.mark.skipif(not IS_OURS, reason="the reference knows no authority but Let's Encrypt")


@pytest.fixture
def proxy(acme_proxy: Proxy) -> Proxy:
    return acme_proxy


def questions(target: Target, host: str) -> list[Received]:
    """The approvals that were asked for this host."""
    return [seen for seen in target.requests if host in parse_qs(urlsplit(seen.target).query).get("host", [])]


def test_case_073_the_question_keeps_its_query(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """A path is asked of the service's own target: token and host in the query, the name as Host, over plain HTTP."""
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/status?c=200&token=1&host=old")
    assert serial(proxy, authority, "query.com")
    (question,) = questions(t1, "query.com")
    query = parse_qs(urlsplit(question.target).query)
    assert (query["token"], query["host"], urlsplit(question.target).path) == (["1"], ["query.com"], "/status")
    assert question.header("Host") == "query.com"
    assert question.header("X-Forwarded-Proto") == "http"


@pytest.mark.parametrize("status", [302, 404, 201, 500])
def test_case_073_only_200_allows(proxy: Proxy, authority: Authority, t1: Target, status: int) -> None:
    """A redirect is not followed; a denial is logged with its status and the beginning of the body."""
    host = f"denied{status}.com"
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", f"/status?c={status}")
    assert "alert internal error" in s_client(proxy, host)
    assert authority.requested(host) == 0
    line = proxy.log_lines("Certificate denied")[-1]
    assert (line["level"], line["host"], line["status"], line["body"]) == ("WARN", host, status, "as asked")


def test_a_denial_shows_no_more_than_256_bytes(proxy: Proxy, t1: Target) -> None:
    """Of a body of any length."""
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/garbage")
    assert handshake_fails(proxy, "garbage.com")
    assert "malformed HTTP response" in proxy.log_lines("Certificate denied")[-1]["error"]
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/missing/big?n=100000")
    assert not handshake_fails(proxy, "big.com")


def test_another_server_can_be_asked(proxy: Proxy, authority: Authority, t1: Target, t2: Target) -> None:
    """An absolute address: its own Host, and nothing reaches the service's target."""
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", f"http://{t2.address}/status?c=200")
    assert serial(proxy, authority, "elsewhere.com")
    (question,) = questions(t2, "elsewhere.com")
    assert question.header("Host") == t2.address
    assert not t1.requests


def test_the_user_of_the_address_is_sent_and_not_logged(proxy: Proxy, t1: Target, t2: Target) -> None:
    """As basic authentication, as every client of HTTP takes it from an address."""
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", f"http://user:se%40cret@{t2.address}/die")
    assert handshake_fails(proxy, "secret.com")
    (question,) = questions(t2, "secret.com")
    assert question.header("Authorization") == f"Basic {base64.b64encode(b'user:se@cret').decode()}"
    assert proxy.log_lines("Certificate denied")[-1]["url"] == f"http://{t2.address}/die"


def test_the_status_alone_allows(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """200 does, however long the body takes (7.4)."""
    other = RawTarget()
    other.reply, other.holds = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", True
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", f"http://{other.address}/slow")
    assert serial(proxy, authority, "status.com")
    other.close()


def test_a_stored_certificate_is_not_asked_about_again(proxy: Proxy, authority: Authority, t1: Target) -> None:
    """Not even when the application would refuse now (7.4)."""
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/status?c=200")
    before = serial(proxy, authority, "stored.com")
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/status?c=404")
    assert serial(proxy, authority, "stored.com") == before
    assert "Cipher is ECDHE-RSA-" in s_client(proxy, "stored.com", "-tls1_2", "-cipher", "aRSA")
    assert len(questions(t1, "stored.com")) == 1


def test_a_flood_for_one_denied_host_is_one_question(proxy: Proxy, t1: Target) -> None:
    """Forty handshakes, from sixteen clients at a time."""
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/status?c=404")
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda _: handshake_fails(proxy, "flood.com"), range(40)))
    assert len(questions(t1, "flood.com")) == 1


def test_a_slow_endpoint_denies_after_two_seconds(proxy: Proxy, t1: Target) -> None:
    """The limit of 7.4; other hosts, and plain requests, do not wait for it."""
    proxy.deploy("s", t1, "--tls", "--tls-redirect=false", "--tls-on-demand-url", "/sleep?s=10")
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(handshake_fails, proxy, "slow.com")
        assert proxy.ask(host="slow.com").status == 200
        assert slow.result()
    assert 1.7 < time.monotonic() - started < 9
    assert proxy.log_lines("Certificate denied")[-1]["error"] == "no answer within 2 s"


def test_an_endpoint_that_is_away_denies(proxy: Proxy, t1: Target, nobody: str) -> None:
    """And the log says why."""
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", f"http://{nobody}/")
    assert handshake_fails(proxy, "away.com")
    line = proxy.log_lines("Certificate denied")[-1]
    assert (line["host"], line["service"]) == ("away.com", "s")
    assert "onnect" in line["error"]


@pytest.mark.parametrize("state", ["stop", "pause"])
def test_a_service_that_does_not_serve_denies(proxy: Proxy, authority: Authority, t1: Target, state: str) -> None:
    """Its own endpoint would answer 503, or would be held for longer than the limit (7.4)."""
    host = f"{state}.denied.com"
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/status?c=200")
    proxy.succeed(state, "s")
    assert handshake_fails(proxy, host)
    assert not questions(t1, host)
    assert proxy.log_lines("Certificate denied")[-1]["host"] == host


NAMES = ["../../../etc/passwd", "a..b.com", "*.com", "com", "acme_account+key", "1.2.3.4", "x" * 64 + ".com"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_none(proxy: Proxy, t1: Target, name: str) -> None:
    """Nobody is asked, nothing is ordered, no file is touched."""
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/status?c=200")
    assert "alert internal error" in s_client(proxy, name)
    assert not t1.requests
    assert not proxy.log_lines("Ordering certificate") or proxy.log_lines("Ordering certificate")[-1]["host"] != name


def test_challenges_of_denied_hosts_are_forbidden(proxy: Proxy, t1: Target, t2: Target) -> None:
    """403 for a denied host, 404 for an allowed one without such a token, below the prefix of a service too (7.3)."""
    path = "/.well-known/acme-challenge/zz"
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/status?c=404")
    assert proxy.ask(path, host="forbidden.com").status == 403
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/status?c=200")
    assert proxy.ask(path, host="allowed.com").status == 404
    assert proxy.ask("/other", host="allowed.com").status == 301
    proxy.deploy("w", t2, "--path-prefix", "/.well-known")
    assert proxy.ask(path, host="another.com").status == 404
    assert len(questions(t1, "another.com")) == 1


def test_hosts_of_other_services_are_not_its_own(proxy: Proxy, t1: Target, t2: Target) -> None:
    """A host with a service of its own, even one without TLS, is never approved by the one for all others (7.1)."""
    proxy.deploy("s", t1, "--tls", "--tls-on-demand-url", "/status?c=200")
    proxy.deploy("plain", t2, "--host", "plain.com")
    assert handshake_fails(proxy, "plain.com")
    assert not t1.requests
