"""Load balancing: spec/proxy.md 23.5 (cases 101 to 113) and section 10."""

from __future__ import annotations

import re
import time
from collections import Counter
from email.utils import parsedate_to_datetime

import pytest

from tests.conformance.proxy_process import Proxy, wait_until
from tests.conformance.raw_http import WEBSOCKET, Response
from tests.conformance.scripted_target import Target


def deploy_readers(proxy: Proxy, writer: Target, readers: list[Target], *flags: str) -> None:
    addresses = ",".join(reader.address for reader in readers)
    proxy.deploy("s", writer, "--read-target", addresses, *flags)


def ask_with_cookie(proxy: Proxy, value: str) -> Response:
    return proxy.ask(headers=[("Cookie", f"a=b; kamal-writer={value}")])


def test_case_101_requests_go_round(proxy: Proxy, t1: Target, t2: Target, t3: Target) -> None:
    """Six requests to three targets are two for each."""
    proxy.succeed("deploy", "s", "--target", ",".join(target.address for target in (t1, t2, t3)))
    served = Counter(proxy.ask().served_by for _ in range(6))
    assert served == {"T1": 2, "T2": 2, "T3": 2}


def test_case_102_an_unhealthy_target_is_passed_over(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Round robin within the healthy ones."""
    proxy.succeed("deploy", "s", "--target", f"{t1.address},{t2.address}", "--health-check-interval", "100ms")
    t1.up = 500
    wait_until(lambda: {proxy.ask().served_by for _ in range(4)} == {"T2"})


def test_case_103_reads_go_to_readers(proxy: Proxy, t1: Target, t2: Target, t3: Target) -> None:
    """GET alternates between them, HEAD goes there too, everything else to the writer."""
    deploy_readers(proxy, t1, [t2, t3])
    served = [proxy.ask().served_by for _ in range(4)]
    assert served in (["T2", "T3"] * 2, ["T3", "T2"] * 2)
    proxy.ask("/head", method="HEAD")
    assert [request.method for target in (t1, t2, t3) for request in target.requests].count("HEAD") == 1
    assert not [request for request in t1.requests if request.method == "HEAD"]
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert proxy.ask(method=method).served_by == "T1"


def test_case_104_a_write_sets_the_affinity_cookie(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Its value is the end of the affinity in milliseconds, its expiry one second later."""
    deploy_readers(proxy, t1, [t2])
    before = time.time() * 1000
    response = proxy.ask(method="POST")
    cookie = response.header("Set-Cookie") or ""
    parts = re.fullmatch(
        r"kamal-writer=(\d+); Path=/; Expires=(\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT); HttpOnly", cookie
    )
    assert parts, cookie
    value = int(parts[1])
    assert before + 700 < value < before + 1700
    assert parsedate_to_datetime(parts[2]).timestamp() == value // 1000 + 1


def test_case_105_a_client_stays_on_writers_for_a_while(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Until the cookie's moment has passed."""
    deploy_readers(proxy, t1, [t2], "--writer-affinity-timeout", "400ms")
    cookie = (proxy.ask(method="POST").header("Set-Cookie") or "").split(";")[0]
    value = cookie.partition("=")[2]
    assert ask_with_cookie(proxy, value).served_by == "T1"
    time.sleep(0.5)
    assert ask_with_cookie(proxy, value).served_by == "T2"


def test_case_106_only_a_future_number_counts(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Anything else in the cookie is ignored."""
    deploy_readers(proxy, t1, [t2])
    assert ask_with_cookie(proxy, "abc").served_by == "T2"
    assert ask_with_cookie(proxy, "1").served_by == "T2"
    assert ask_with_cookie(proxy, "99999999999999").served_by == "T1"
    assert ask_with_cookie(proxy, '"99999999999999"').served_by == "T1"


@pytest.mark.parametrize(("value", "has_cookie"), [("false", False), ("true", True)])
def test_case_107_a_target_may_suppress_the_cookie(
    proxy: Proxy, t1: Target, t2: Target, value: str, has_cookie: bool
) -> None:
    """Its header is removed either way."""
    deploy_readers(proxy, t1, [t2])
    response = proxy.ask(f"/hdrs?h=X-Writer-Affinity%3D{value}&h=Set-Cookie%3Da%3D1", method="POST")
    assert bool([cookie for cookie in response.all("Set-Cookie") if "kamal-writer" in cookie]) == has_cookie
    assert "a=1" in response.all("Set-Cookie")
    assert response.header("X-Writer-Affinity") is None


def test_case_108_without_readers_there_is_no_cookie(proxy: Proxy, t1: Target) -> None:
    """And the header passes through."""
    proxy.deploy("s", t1)
    response = proxy.ask("/hdrs?h=X-Writer-Affinity%3Dtrue", method="POST")
    assert response.header("Set-Cookie") is None
    assert response.header("X-Writer-Affinity") == "true"


def test_case_109_the_proxys_own_errors_set_no_cookie(proxy: Proxy, t1: Target, t2: Target) -> None:
    """A 502 is not a response of the target."""
    deploy_readers(proxy, t1, [t2])
    response = proxy.ask("/die", method="POST")
    assert response.status == 502
    assert response.header("Set-Cookie") is None


def test_case_110_websockets_are_writes_unless_told_otherwise(proxy: Proxy, t1: Target, t2: Target) -> None:
    """`--read-target-websockets` sends them to readers; 101 sets no cookie."""
    deploy_readers(proxy, t1, [t2])
    with proxy.connect() as websocket:
        response = websocket.ask(path="/ws", headers=WEBSOCKET)
        assert response.header("Set-Cookie") is None
        assert websocket.reader.readline() == b"hello from T1\n"
    deploy_readers(proxy, t1, [t2], "--read-target-websockets")
    with proxy.connect() as websocket:
        websocket.ask(path="/ws", headers=WEBSOCKET)
        assert websocket.reader.readline() == b"hello from T2\n"


def test_case_111_reads_go_to_writers_when_all_readers_are_out(proxy: Proxy, t1: Target, t2: Target) -> None:
    """8.3."""
    deploy_readers(proxy, t1, [t2], "--health-check-interval", "100ms")
    t2.up = 500
    wait_until(lambda: proxy.ask().served_by == "T1")


def test_case_112_writes_fail_when_all_writers_are_out(proxy: Proxy, t1: Target, t2: Target) -> None:
    """503 for what needs a writer; reads go on."""
    deploy_readers(proxy, t1, [t2], "--health-check-interval", "100ms")
    t1.up = 500
    wait_until(lambda: proxy.ask(method="POST").status == 503)
    assert proxy.ask().served_by == "T2"
    assert ask_with_cookie(proxy, "99999999999999").status == 503


def test_case_113_affinity_can_be_turned_off(proxy: Proxy, t1: Target, t2: Target) -> None:
    """A timeout of 0 sets no cookie."""
    deploy_readers(proxy, t1, [t2], "--writer-affinity-timeout", "0s")
    assert proxy.ask(method="POST").header("Set-Cookie") is None


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_case_114_a_closed_idle_connection_is_no_error(proxy: Proxy, t1: Target, method: str) -> None:
    """A request never fails because the target closed a pooled connection (10)."""
    proxy.deploy("s", t1)
    for _ in range(5):
        assert proxy.ask(method=method).status == 200
        t1.close_idle()
        assert proxy.ask(method=method).status == 200
