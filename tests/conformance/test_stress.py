"""Deploys under load (case 89), and processes being killed meanwhile (spec/proxy.md 9.1 and 24.1)."""

from __future__ import annotations

import itertools
import os
import select
import signal
import threading
import time

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy, child_processes, find_child, is_running, wait_until
from tests.conformance.raw_http import head
from tests.conformance.scripted_target import Target

BUFFERS = ("--buffer-requests", "--buffer-responses")

only_ours = pytest.mark.skipif(not IS_OURS, reason="about this implementation's processes")


class Load:
    """Clients with one kept-alive connection each; every surprise is written down in `failures`."""

    def __init__(self, proxy: Proxy, clients: int = 4) -> None:
        self.proxy = proxy
        self.answered = 0
        self.failures: list[str] = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        method, body = ("POST", b"x" * 100) if number % 2 else ("GET", None)
        with self.proxy.connect() as connection:
            while not self._stopping.is_set():
                try:
                    response = connection.ask(method, "/echo", body=body)
                except (OSError, ValueError) as problem:
                    self.failures.append(repr(problem))
                    return
                self.answered += 1
                if response.status != 200 or not response.complete:
                    self.failures.append(f"{method} {response.status}")
                if response.header("Connection") == "close":
                    self.failures.append("the connection was to be closed")


@pytest.mark.parametrize("flags", [(), BUFFERS], ids=["streamed", "buffered"])
def test_case_089_deploys_under_load(proxy: Proxy, t1: Target, t2: Target, flags: tuple[str, ...]) -> None:
    """Four kept-alive clients, thirty alternating deploys: no failed request, no closed connection."""
    proxy.deploy("s", t1, *flags)
    with Load(proxy) as load:
        for target in itertools.islice(itertools.cycle((t2, t1)), 30):
            proxy.deploy("s", target, *flags)
    assert load.failures == []
    assert load.answered > 500


def test_pauses_under_load(proxy: Proxy, t1: Target, t2: Target) -> None:
    """Pause, deploy, resume, ten times: every request is held and then served."""
    proxy.deploy("s", t1)
    with Load(proxy) as load:
        for target in itertools.islice(itertools.cycle((t2, t1)), 10):
            proxy.succeed("pause", "s")
            proxy.deploy("s", target)
            proxy.succeed("resume", "s")
    assert load.failures == []


@only_ours
def test_the_control_plane_may_be_killed(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """Traffic goes on without it, and the next one knows everything, what is in flight included (24.1)."""
    proxy = own_proxy.start()
    proxy.deploy("s", t1)
    with Load(proxy) as load:
        killed = find_child(proxy, "pykamal.proxy.control_plane")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not is_running(killed))
        assert proxy.listing()[0][3] == t1.address, "a client did not wait for the next one"
        with proxy.connect() as slow:
            slow.send(b"GET /sleep?s=2 HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: any(request.target.startswith("/sleep") for request in t1.requests))
            os.kill(find_child(proxy, "pykamal.proxy.control_plane"), signal.SIGKILL)
            wait_until(lambda: len(proxy.log_lines("Control plane ended; starting it again")) == 2)
            started = time.monotonic()
            proxy.deploy("s", t2)
            assert time.monotonic() - started > 0.5
            assert slow.read().status == 200
    assert load.failures == []


@only_ours
def test_sets_with_the_same_target_stay_apart(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """A control plane that starts again drains the rollout set without waiting for requests of the active one (9.2)."""
    own_proxy.start().deploy("s", t1)
    own_proxy.succeed("rollout", "deploy", "s", "--target", t1.address)
    os.kill(find_child(own_proxy, "pykamal.proxy.control_plane"), signal.SIGKILL)
    wait_until(lambda: own_proxy.log_lines("Control plane ended; starting it again"))
    wait_until(lambda: own_proxy.call("list").returncode == 0)
    with own_proxy.connect() as connection:
        connection.send(head("GET", "/sleep?s=2"))
        wait_until(lambda: t1.requests)
        own_proxy.succeed("rollout", "deploy", "s", "--target", t2.address)
        assert not select.select([connection.socket], [], [], 0)[0], "the request was waited for"
        assert connection.read().status == 200


@only_ours
def test_a_worker_may_be_killed(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """Its counts go with it: the next drain does not wait for requests that are lost (24.1)."""
    proxy = own_proxy.start()
    proxy.deploy("s", t1)
    with proxy.connect() as lost:
        lost.send(b"GET /sleep?s=20 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: t1.requests)
        for worker in child_processes(find_child(proxy, "nginx: master")):
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: proxy.call("list").returncode == 0)
    started = time.monotonic()
    proxy.deploy("s", t2)
    assert time.monotonic() - started < 2
    assert proxy.ask().served_by == "T2"


@only_ours
def test_a_worker_that_hangs_is_replaced(own_proxy: Proxy, t1: Target) -> None:
    """A stopped or endlessly busy worker is replaced: requests given to it would wait for ever (24.1)."""
    own_proxy.plant("workers.py", "LOOK_S = 1.0\nLOOKS = 10", "LOOK_S = 0.6\nLOOKS = 2")
    own_proxy.start().deploy("s", t1)
    master = find_child(own_proxy, "nginx: master")
    hanging = next(iter(child_processes(master)))
    os.kill(hanging, signal.SIGSTOP)
    wait_until(lambda: hanging not in child_processes(master), 15)
    (record,) = own_proxy.log_lines("Worker hangs; another one takes its place")
    assert record["pid"] == hanging
    wait_until(lambda: len(child_processes(master)) == min(len(os.sched_getaffinity(0)), 16))
    assert {own_proxy.ask().served_by for _ in range(20)} == {"T1"}


@only_ours
def test_a_proxy_that_was_paused_goes_on_as_it_was(own_proxy: Proxy, t1: Target) -> None:
    """As by `docker pause`: nobody had a heartbeat, and nobody is replaced (24.1)."""
    own_proxy.plant("workers.py", "LOOK_S = 1.0\nLOOKS = 10", "LOOK_S = 0.6\nLOOKS = 2")
    own_proxy.start().deploy("s", t1)
    workers = child_processes(find_child(own_proxy, "nginx: master"))
    everyone = [find_child(own_proxy, "pykamal.proxy.control_plane"), *workers]
    for process in everyone:
        os.kill(process, signal.SIGSTOP)
    time.sleep(2)
    for process in everyone:
        os.kill(process, signal.SIGCONT)
    time.sleep(1.5)
    assert child_processes(find_child(own_proxy, "nginx: master")) == workers
    assert own_proxy.ask().served_by == "T1"


@only_ours
def test_nginx_may_be_killed(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """A new one starts with the latest services; until it serves, nobody's connection is refused."""
    proxy = own_proxy.start()
    proxy.deploy("s", t1)
    proxy.deploy("s", t2)
    killed = find_child(proxy, "nginx: master")
    os.kill(killed, signal.SIGKILL)

    def served() -> bool:
        try:
            return proxy.ask().status == 200 and find_child(proxy, "nginx: master") != killed
        except ConnectionRefusedError:
            raise
        except (OSError, ValueError):
            return False  # a worker of the killed one had it

    wait_until(served, 10)
    assert proxy.ask().served_by == "T2"
    proxy.deploy("s", t1)
    assert proxy.ask().served_by == "T1"


@only_ours
def test_both_may_be_killed_at_once(own_proxy: Proxy, t1: Target) -> None:
    """As the kernel does when memory runs out: one after the other comes back, with every service."""
    proxy = own_proxy.start()
    proxy.deploy("s", t1)
    killed = [find_child(proxy, words) for words in ("nginx: master", "pykamal.proxy.control_plane")]
    for process in killed:
        os.kill(process, signal.SIGKILL)

    def both_are_new() -> bool:
        assert proxy.process
        assert proxy.process.poll() is None
        children = child_processes(proxy.process.pid)
        new = [words for process, words in children.items() if process not in killed]
        return any("nginx: master" in words for words in new) and proxy.call("list").returncode == 0

    wait_until(both_are_new, 20)
    assert proxy.ask().status == 200
    assert [row[0] for row in proxy.listing()] == ["s"]


@only_ours
def test_a_control_plane_that_hangs_does_not_keep_nginx_away(own_proxy: Proxy, t1: Target) -> None:
    """It is replaced by one that tells the new nginx of every service; clients wait meanwhile and are served."""
    proxy = own_proxy.start()
    proxy.deploy("s", t1)
    hanging = find_child(proxy, "pykamal.proxy.control_plane")
    os.kill(hanging, signal.SIGSTOP)
    os.killpg(find_child(proxy, "nginx: master"), signal.SIGKILL)
    with proxy.connect() as waiting:
        assert waiting.ask().status == 200
    assert not is_running(hanging)
    wait_until(lambda: proxy.call("list").returncode == 0)


@only_ours
def test_nothing_is_left_behind(own_proxy: Proxy) -> None:
    """An orderly end removes the run directory; a killed server takes its children along."""
    proxy = own_proxy.start()
    children = [find_child(proxy, words) for words in ("nginx: master", "pykamal.proxy.control_plane")]
    proxy.stop(signal.SIGKILL)
    wait_until(lambda: not [child for child in children if is_running(child)])
    proxy.start()
    proxy.stop()
    assert list(proxy.temporary.iterdir()) == []


@only_ours
def test_a_control_plane_that_cannot_live_is_started_ever_more_seldom(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """Each pause is twice as long; requests are served meanwhile, and one that lives answers again (24.1)."""
    own_proxy.plant("control_plane.py", "def main() -> None:\n", "def main() -> None:\n    pass\n")
    own_proxy.start().deploy("s", t1)
    own_proxy.plant("control_plane.py", "    pass\n", "    sys.exit(1)\n")
    os.kill(find_child(own_proxy, "pykamal.proxy.control_plane"), signal.SIGKILL)
    wait_until(lambda: len(ends(own_proxy)) == 4, 10)
    own_proxy.plant("control_plane.py", "    sys.exit(1)\n", "    pass\n")
    pauses = [record["seconds"] for record in ends(own_proxy)]
    assert pauses == [pauses[0] * 2**number for number in range(4)]
    assert own_proxy.ask().served_by == "T1"
    wait_until(lambda: own_proxy.call("deploy", "s", "--target", t2.address).returncode == 0, 20)
    assert own_proxy.ask().served_by == "T2"
    assert len(ends(own_proxy)) == 4


def ends(proxy: Proxy) -> list[dict[str, object]]:
    return proxy.log_lines("Control plane ended; starting it again")
