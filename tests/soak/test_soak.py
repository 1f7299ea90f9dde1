"""All that is done to a service, over and over, under constant traffic: nobody may notice (spec/proxy.md 9 to 12)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy, find_child, is_running, wait_until
from tests.conformance.scripted_target import Target
from tests.load_generator import Load, Summary
from tests.soak.bystanders import Bystander, KeptConnection, RolloutVisitor, SlowUpload, WebSocket, wait_for_steps
from tests.soak.static_targets import StaticTargets

KAMAL_FLAGS = (
    *("--buffer-requests", "--buffer-responses"),
    *("--log-request-header", "Cache-Control,Last-Modified,User-Agent"),
)
BUSY, QUIET = "busy.example.com", "quiet.example.com"


@dataclass(frozen=True, slots=True)
class Amount:
    """The size of a run; `rate` is in requests a second."""

    rate: int
    deploys: int
    pauses: int
    rollouts: int


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    server = Proxy().start()
    yield server
    server.dispose()


@pytest.mark.soak
def test_soak(proxy: Proxy) -> None:
    """500 requests/s: 100 deploys, 20 pauses with a deploy in between, 20 rollout changes, a control-plane restart."""
    unnoticed(proxy, Amount(rate=500, deploys=100, pauses=20, rollouts=20))


@pytest.mark.conformance
def test_soak_in_short(proxy: Proxy) -> None:
    """The same for every change of the code: little of everything."""
    unnoticed(proxy, Amount(rate=200, deploys=10, pauses=2, rollouts=3))


def unnoticed(proxy: Proxy, amount: Amount) -> None:
    """Does all of it to one service, and fails when its clients or those of the other service notice."""
    quiet_target = Target("quiet")
    with ExitStack() as stack:
        stack.callback(quiet_target.close)
        targets = stack.enter_context(StaticTargets("v1", "v2", "v3"))
        deploy(proxy, targets.addresses["v1"])
        proxy.deploy("quiet", quiet_target, "--host", QUIET)
        bystanders: list[Bystander] = [
            *(make(proxy, QUIET) for make in (WebSocket, SlowUpload, KeptConnection)),
            RolloutVisitor(proxy, BUSY),
        ]
        for bystander in bystanders:
            stack.enter_context(bystander)
        wait_for_steps(bystanders)
        url = f"http://127.0.0.1:{proxy.http_port}/"
        with Load([url], rate=amount.rate, host_header=BUSY, timeout_seconds=30) as load:
            work(proxy, targets.addresses, amount)
        summary = load.summary
    assert [failure for bystander in bystanders for failure in bystander.failures] == []
    assert summary.failed == 0, told(summary)
    assert {seen.version for seen in summary.versions[url]} == {"v1", "v2"}, "no cookie: never the rollout's version"


def work(proxy: Proxy, addresses: dict[str, str], amount: Amount) -> None:
    active = [addresses["v2"], addresses["v1"]]
    for number in range(amount.deploys):
        deploy(proxy, active[number % 2])
        if number == amount.deploys // 2 and IS_OURS:
            restart_control_plane(proxy)
    for number in range(amount.pauses):
        proxy.succeed("pause", "busy")
        deploy(proxy, active[number % 2])
        proxy.succeed("resume", "busy")
    proxy.succeed("rollout", "deploy", "busy", "--target", addresses["v3"])
    for number in range(amount.rollouts):
        match number % 3:
            case 0:
                proxy.succeed("rollout", "set", "busy", "--percent", str(5 * number))
            case 1:
                proxy.succeed("rollout", "set", "busy", "--list", f"u{number},u{number + 1}")
            case _:
                proxy.succeed("rollout", "stop", "busy")
                proxy.succeed("rollout", "deploy", "busy", "--target", addresses["v3"])


def deploy(proxy: Proxy, address: str) -> None:
    proxy.succeed("deploy", "busy", "--target", address, "--host", BUSY, *KAMAL_FLAGS)


def restart_control_plane(proxy: Proxy) -> None:
    """Kill it, as the machine's memory shortage would; the supervisor starts another."""
    control_plane = find_child(proxy, "pykamal.proxy.control_plane")
    os.kill(control_plane, signal.SIGKILL)
    wait_until(lambda: not is_running(control_plane))
    wait_until(lambda: proxy.call("list").returncode == 0, 10)
    assert [row[0] for row in proxy.listing()] == ["busy", "quiet"]


def told(summary: Summary) -> str:
    first = f"{summary.failed} of {summary.sent} requests failed, p99 {summary.p99_ms} ms, statuses {summary.statuses}"
    return "\n".join([first, *(f"  {failure}" for failure in summary.failures[:20])])
