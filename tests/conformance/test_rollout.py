"""Rollout: spec/proxy.md 23.7 (cases 131 to 140) and section 12."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.conformance.proxy_process import Proxy, wait_until
from tests.conformance.raw_http import WEBSOCKET
from tests.conformance.scripted_target import Target
from tests.conformance.test_health_deploy import arrives, in_background


@pytest.fixture
def rolled_out(proxy: Proxy, t1: Target, t2: Target) -> Proxy:
    """Service `s` with T1 active and T2 as the rollout set."""
    proxy.deploy("s", t1)
    proxy.succeed("rollout", "deploy", "s", "--target", t2.address)
    return proxy


def served(proxy: Proxy, cookie: str | None) -> str:
    headers = [("Cookie", f"x=y; kamal-rollout={cookie}")] if cookie is not None else []
    return proxy.ask(headers=headers).served_by


def fnv1a32(text: str) -> int:
    digest = 0x811C9DC5
    for byte in text.encode():
        digest = (digest ^ byte) * 0x01000193 % 2**32
    return digest


def test_case_131_a_split_needs_a_rollout_set(proxy: Proxy, t1: Target) -> None:
    """3.4."""
    proxy.deploy("s", t1)
    assert proxy.refuse("rollout", "set", "s", "--percent", "5") == "rollout target not set"


def test_case_132_without_a_split_it_gets_nothing(rolled_out: Proxy) -> None:
    """The rollout set only waits; `list` does not show it."""
    assert served(rolled_out, "alice") == "T1"
    assert "," not in rolled_out.listing()[0][3]


def test_case_133_the_hash_of_the_cookie_decides(rolled_out: Proxy) -> None:
    """Exactly where fnv1a32 is at most 30 percent of 2^32 - 1."""
    rolled_out.succeed("rollout", "set", "s", "--percent", "30")
    with rolled_out.connect() as connection:
        for number in range(100):
            value = f"u{number}"
            response = connection.ask(headers=[("Cookie", f"kamal-rollout={value}")])
            expected = "T2" if fnv1a32(value) <= 4294967295 * 30 / 100 else "T1"
            assert response.served_by == expected, value
    assert served(rolled_out, None) == "T1"


def test_case_134_known_values(rolled_out: Proxy) -> None:
    """The vectors of section 12 at 50 percent; quotes around a value do not count."""
    rolled_out.succeed("rollout", "set", "s", "--percent", "50")
    assert {value: served(rolled_out, value) for value in ("alice", "bob", "carol", "u1", "00001")} == {
        "alice": "T1",
        "bob": "T1",
        "carol": "T2",
        "u1": "T2",
        "00001": "T2",
    }
    assert served(rolled_out, '"carol"') == "T2"


def test_case_135_the_list_is_exact(rolled_out: Proxy) -> None:
    """Values on the list are in, whatever their hash."""
    rolled_out.succeed("rollout", "set", "s", "--list", "vip,alice")
    assert [served(rolled_out, value) for value in ("vip", "alice", "vi", "VIP")] == ["T2", "T2", "T1", "T1"]


def test_the_first_cookie_of_exactly_that_name_counts(rolled_out: Proxy) -> None:
    """Names of cookies have a case, and only semicolons and headers part them (12)."""
    rolled_out.succeed("rollout", "set", "s", "--list", "vip")
    expected = {
        ("a=b;kamal-rollout=vip",): "T2",
        ("a=b", "kamal-rollout=vip"): "T2",
        ("kamal-rollout=; kamal-rollout=vip",): "T1",
        ("Kamal-Rollout=vip",): "T1",
        ("a=b,kamal-rollout=vip",): "T1",
        ("a=kamal-rollout=vip; xkamal-rollout=vip",): "T1",
    }
    for cookies, name in expected.items():
        headers = [("Cookie", cookie) for cookie in cookies]
        assert rolled_out.ask(headers=headers).served_by == name, cookies


def test_case_136_all_and_none(rolled_out: Proxy) -> None:
    """100 percent takes every cookie value, never a request without one."""
    rolled_out.succeed("rollout", "set", "s", "--percent", "100")
    assert [served(rolled_out, value) for value in ("alice", "zzz", "", None)] == ["T2", "T2", "T1", "T1"]
    rolled_out.succeed("rollout", "set", "s", "--percent", "0")
    assert served(rolled_out, "alice") == "T1"


def test_case_137_a_deploy_leaves_the_rollout_alone(rolled_out: Proxy, t3: Target) -> None:
    """And the other way round."""
    rolled_out.succeed("rollout", "set", "s", "--percent", "100")
    rolled_out.deploy("s", t3)
    assert served(rolled_out, None) == "T3"
    assert served(rolled_out, "alice") == "T2"


def test_case_138_another_rollout_deploy_replaces_the_set(rolled_out: Proxy, t3: Target) -> None:
    """The split stays."""
    rolled_out.succeed("rollout", "set", "s", "--percent", "100")
    rolled_out.succeed("rollout", "deploy", "s", "--target", t3.address)
    assert served(rolled_out, "alice") == "T3"


def test_case_139_stop_removes_the_split_only(rolled_out: Proxy) -> None:
    """The set can be used again without a deploy; stopping twice is fine."""
    rolled_out.succeed("rollout", "set", "s", "--percent", "100")
    rolled_out.succeed("rollout", "stop", "s")
    rolled_out.succeed("rollout", "stop", "s")
    assert served(rolled_out, "alice") == "T1"
    rolled_out.succeed("rollout", "set", "s", "--percent", "100")
    assert served(rolled_out, "alice") == "T2"


def test_case_140_a_failed_rollout_deploy_changes_nothing(rolled_out: Proxy, nobody: str) -> None:
    """The earlier set is untouched."""
    rolled_out.succeed("rollout", "set", "s", "--percent", "100")
    message = rolled_out.refuse("rollout", "deploy", "s", "--target", nobody, "--deploy-timeout", "300ms")
    assert message == "target failed to become healthy within configured timeout (300ms)"
    assert served(rolled_out, "alice") == "T2"


def test_each_set_takes_turns_by_itself(proxy: Proxy, make_target: Callable[[str], Target]) -> None:
    """Requests to the one do not disturb the round of the other (10)."""
    a, b, c, d = (make_target(name).address for name in "abcd")
    proxy.succeed("deploy", "s", "--target", f"{a},{b}")
    proxy.succeed("rollout", "deploy", "s", "--target", f"{c},{d}")
    proxy.succeed("rollout", "set", "s", "--percent", "100")
    names = Counter(served(proxy, cookie) for _ in range(4) for cookie in (None, "alice"))
    assert names == {"a": 2, "b": 2, "c": 2, "d": 2}


def test_a_target_in_both_sets_keeps_the_others_connections(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Draining the one set closes no upgraded connection and waits for no request of the other (9.2)."""
    proxy.deploy("s", t1)
    proxy.succeed("rollout", "deploy", "s", "--target", t1.address)
    slow = in_background(proxy, "/sleep?s=1.5")
    wait_until(arrives(t1, "/sleep"))
    with proxy.connect() as websocket:
        assert websocket.ask(path="/ws", headers=WEBSOCKET).status == 101
        websocket.reader.readline()
        proxy.succeed("rollout", "deploy", "s", "--target", t2.address)
        assert not slow.done()
        websocket.send(b"still here\n")
        assert websocket.reader.readline() == b"still here\n"
    assert slow.result(timeout=3).status == 200


@pytest.mark.parametrize("percent", ["101", "-1"])
def test_case_141_percent_is_range_checked(rolled_out: Proxy, percent: str) -> None:
    """Deviation D9."""
    rolled_out.refuse("rollout", "set", "s", f"--percent={percent}")
