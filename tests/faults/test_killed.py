"""The remains of a process that was killed, and the next run, which goes on from there."""

from __future__ import annotations

import signal
import time

import pytest

from tests.e2e.application import Application, wait_until
from tests.load_generator import Load

pytestmark = pytest.mark.faults


def test_a_killed_deploy_leaves_a_lock_that_can_be_released(deployed: Application) -> None:
    """spec/cli.md 8.3: nothing can be done on SIGKILL; the old version serves, and a person can go on."""
    good = deployed.git("rev-parse", "HEAD")
    (deployed.folder / "BROKEN").write_text("never healthy, so that there is a middle\n")
    bad = deployed.commit("broken")
    host = deployed.hosts[0]
    process = deployed.start("deploy")
    wait_until(lambda: f"hello-web-{bad}" in deployed.containers(host), what="the new container")
    process.kill()
    process.communicate()
    assert deployed.locked(host)
    assert deployed.version_served(host) == good

    told = deployed.kamal("deploy", "--skip-push", expect=1).stdout
    assert "Deploy lock already in place!" in told
    assert "kamal lock release" in told
    deployed.kamal("lock", "release")
    (deployed.folder / "BROKEN").unlink()
    repaired = deployed.commit("repaired")
    deployed.kamal("deploy")
    for each in deployed.hosts:
        assert deployed.version_served(each) == repaired
        assert deployed.containers(each, "--filter", "label=service=hello") == [f"hello-web-{repaired}"], "no stale one"


def test_a_killed_proxy_comes_back_with_its_routes(deployed: Application) -> None:
    """spec/proxy.md 4: the state file is read before the ports open; Docker starts the container again."""
    host = deployed.hosts[0]
    version = deployed.version_served(host)
    process = host.docker("inspect", "--format", "{{.State.Pid}}", "kamal-proxy").strip()
    host.run(["kill", "-9", process])
    wait_until(lambda: deployed.version_served(host) == version, what="the proxy with its routes")


def test_an_engine_that_starts_again_serves_again(deployed: Application) -> None:
    """Restart policies bring proxy and app back, and a deploy goes on from there without losing a request."""
    host = deployed.hosts[0]
    version = deployed.version_served(host)
    host.stop_engine()
    host.start_engine()
    wait_until(lambda: deployed.version_served(host) == version, seconds=60, what="the app after the engine's restart")
    deployed.commit("after the restart")
    with Load([f"http://{host.address}/"], rate=100) as load:
        deployed.kamal("deploy")
    assert load.summary.failed == 0, load.summary.failures[:5]


def test_a_stopped_deploy_goes_on_where_it_was(deployed: Application) -> None:
    """A laptop that sleeps for a while in the middle: connections last as long as the servers keep them."""
    process = deployed.start("deploy", "--skip-push", "--version", deployed.git("rev-parse", "HEAD"))
    wait_until(lambda: deployed.locked(deployed.hosts[0]), what="the lock")
    process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert not deployed.locked(deployed.hosts[0])
