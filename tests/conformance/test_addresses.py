"""Names whose addresses change hands: what is meant for one service never reaches another's container.

Containers are played by targets on different loopback addresses that share a port.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.conformance.name_server import NameServer, proxy_with
from tests.conformance.proxy_process import IS_OURS, Proxy, wait_until
from tests.conformance.raw_http import head
from tests.conformance.scripted_target import Target

pytestmark = [
    pytest.mark.skipif(not IS_OURS, reason="the reference looks names up when it connects"),
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root for a mount namespace"),
]

ONE, TWO = "127.77.0.1", "127.77.0.2"


@dataclass
class Site:
    """Service `a` is the container `alpha`, `b` is `beta`; A answers for the one, B for the other.

    `b` is buffered as Kamal asks for: its requests go the fast way, those of `a` do not.
    """

    names: NameServer
    proxy: Proxy
    a: Target
    b: Target

    def stop(self) -> None:
        self.a.close()
        self.b.close()
        self.names.addresses.clear()

    def start(self, alpha: str, beta: str) -> None:
        """Names are known as soon as a container has its address; it listens a little later."""
        port = self.a.port
        self.names.addresses.update(alpha=alpha, beta=beta)
        time.sleep(0.1)
        self.a, self.b = Target("A", port, alpha), Target("B", port, beta)

    def ask(self, service: str, method: str = "GET") -> str:
        """The name of the target that answered, or the status."""
        response = self.proxy.ask(host=f"{service}.com", method=method)
        return response.served_by if response.status == 200 else str(response.status)

    def serves_rightly(self) -> bool:
        return [self.ask("a"), self.ask("b")] == ["A", "B"]


@pytest.fixture
def site() -> Iterator[Site]:
    names = NameServer()
    names.addresses.update(alpha=ONE, beta=TWO)
    a = Target("A", ip=ONE)
    site = Site(names, proxy_with(names), a, Target("B", a.port, TWO))
    site.proxy.start()
    buffers = ("--buffer-requests", "--buffer-responses")
    for service, container, flags in (("a", "alpha", ()), ("b", "beta", buffers)):
        site.proxy.succeed("deploy", service, "--target", f"{container}:{a.port}", "--host", f"{service}.com", *flags)
    yield site
    site.proxy.dispose()
    site.stop()
    names.close()


def test_addresses_that_are_swapped(site: Site) -> None:
    """Under load, with new connections and kept ones: whoever answers is the right one, and both answer again."""
    wrong: list[tuple[str, str]] = []
    running = True

    def hammer(service: str, method: str) -> int:
        count = 0
        while running:
            answer = site.ask(service, method)
            count += answer in "AB"
            if answer in "AB" and answer != service.upper():
                wrong.append((service, answer))
        return count

    with ThreadPoolExecutor(4) as pool:
        hammering = [pool.submit(hammer, service, method) for service in "ab" for method in ("GET", "POST")]
        for turn in range(4):
            time.sleep(0.4)
            site.stop()
            site.start(*((TWO, ONE) if turn % 2 == 0 else (ONE, TWO)))
            wait_until(site.serves_rightly, 15)
        running = False
        assert all(task.result() > 5 for task in hammering)
    assert wrong == []


def test_addresses_that_are_swapped_in_silence(site: Site) -> None:
    """The first request after a quiet time is not sent to where the container was."""
    for addresses in ((TWO, ONE), (ONE, TWO)):
        assert site.serves_rightly()
        site.stop()
        site.start(*addresses)
        assert {site.ask("a"), site.ask("a", "POST")} <= {"A", "502"}
        assert site.ask("b") in ("B", "502")
        wait_until(site.serves_rightly, 15)


@pytest.mark.parametrize("removed", [False, True], ids=["running", "removed"])
def test_an_upload_while_addresses_are_swapped(site: Site, removed: bool) -> None:
    """It began before and ends after: its target is looked up until it is sent, and nobody else gets it."""
    with ExitStack() as stack:
        connections = [stack.enter_context(site.proxy.connect()) for _ in range(8)]
        for connection in connections:
            connection.send(head("POST", "/echo", host="b.com", headers=[("Content-Length", "10")]) + b"12345")
        time.sleep(0.1)
        assert site.serves_rightly()
        if removed:
            site.proxy.succeed("remove", "b")
        site.stop()
        site.start(TWO, ONE)
        for connection in connections:
            connection.send(b"67890")
        assert {connection.read("POST").status for connection in connections} == {502}
    assert [request for request in site.a.requests if request.method == "POST"] == []


def test_a_slow_upload_reaches_its_target(site: Site) -> None:
    """A slow upload reaches its target, after any pause in which nothing else is sent there."""
    with site.proxy.connect() as connection:
        connection.send(head("POST", "/echo", host="b.com", headers=[("Content-Length", "10")]))
        for number in range(10):
            time.sleep(0.15)
            connection.send(b"%d" % number)
        assert connection.read("POST").served_by == "B"


def test_a_reboot_that_swaps_addresses(site: Site) -> None:
    """Restored addresses are looked up before they are trusted; until then no request is served (24.1)."""
    site.proxy.stop()
    site.stop()
    site.proxy.start()
    assert [site.ask("a"), site.ask("b")] == ["502", "502"]
    site.start(TWO, ONE)
    wait_until(site.serves_rightly, 15)


def test_a_container_that_is_gone_while_another_has_its_address(site: Site) -> None:
    """Also where the name server cannot tell: a name that it fails for loses an address that another name has."""
    site.stop()
    site.names.failing.add("alpha")
    site.names.addresses["beta"] = ONE
    b = Target("B", site.a.port, ONE)
    try:
        wait_until(lambda: site.ask("b") == "B", 15)
        wait_until(lambda: site.ask("a") == "502", 15)
        time.sleep(1.2)
        assert site.ask("a") == "502"
    finally:
        b.close()


def test_a_deploy_is_not_healthy_by_what_has_the_address_now(site: Site) -> None:
    """A container that ended while it was waited for, and a name server that cannot tell that its name is gone."""
    address = "127.77.0.3"
    site.names.addresses["gamma"] = address
    arguments = ("deploy", "c", "--target", f"gamma:{site.a.port}", "--host", "c.com", "--deploy-timeout", "3s")
    with ThreadPoolExecutor(1) as pool:
        deploying = pool.submit(site.proxy.call, *arguments)
        wait_until(lambda: "gamma" in site.names.questions, 5)
        site.names.failing.add("gamma")
        other = Target("B", site.a.port, address)
        try:
            done = deploying.result()
        finally:
            other.close()
    assert done.returncode == 1
    assert site.ask("c") == "404"


def test_a_name_server_that_is_away(site: Site) -> None:
    """Without Docker no container changes its address: what is known is used on, and not slowly."""
    assert site.serves_rightly()
    site.names.silent = True
    time.sleep(0.2)
    assert site.serves_rightly()
    assert all(site.ask("a") == "A" for _ in range(20))
    site.names.close()
    time.sleep(1.2)
    assert site.serves_rightly()


def test_names_that_no_name_server_knows(own_proxy: Proxy, t1: Target) -> None:
    """A name from /etc/hosts is not asked about."""
    own_proxy.start().succeed("deploy", "s", "--target", f"localhost:{t1.port}")
    time.sleep(0.3)
    assert [own_proxy.ask().status for _ in range(3)] == [200] * 3
