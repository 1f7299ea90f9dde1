"""No request is dropped while versions change."""

from __future__ import annotations

import pytest

from tests.e2e.application import Application
from tests.load_generator import Load

pytestmark = pytest.mark.e2e


def test_deploys_and_a_rollback_under_load_drop_nothing(deployed: Application) -> None:
    """Kept-alive and new connections, and 2-second requests in flight, across two deploys and a rollback."""
    versions = [deployed.git("rev-parse", "HEAD")]
    urls = [f"http://{host.address}/" for host in deployed.hosts]
    with Load(urls, rate=100, keep_alive_fraction=0.5, slow_fraction=0.02, slow_seconds=2, timeout_seconds=15) as load:
        for number in (2, 3):
            versions.append(deployed.commit(f"version {number}"))
            deployed.kamal("deploy")
        deployed.kamal("rollback", versions[0])
    summary = load.summary
    assert summary.failed == 0, summary.failures[:10]
    assert set(summary.statuses) == {"200"}
    assert summary.sent > 500
    for url in urls:
        seen = [each.version for each in summary.versions[url]]
        assert set(seen) == set(versions), "every version answered during the load"


def test_a_failing_deploy_under_load_drops_nothing(deployed: Application) -> None:
    """spec/cli.md 13.5.1: the old version goes on serving as if nothing had happened."""
    good = deployed.git("rev-parse", "HEAD")
    (deployed.folder / "BROKEN").write_text("on purpose\n")
    deployed.configure(deploy_timeout=3)
    deployed.commit("broken")
    urls = [f"http://{host.address}/" for host in deployed.hosts]
    with Load(urls, rate=100, slow_fraction=0.02) as load:
        deployed.kamal("deploy", expect=1)
    summary = load.summary
    assert summary.failed == 0, summary.failures[:10]
    assert {each.version for url in urls for each in summary.versions[url]} == {good}


def test_roles_in_parallel_drop_nothing(application: Application) -> None:
    """spec/config.md 12: with `boot.parallel_roles` a role's old container still serves until its new one does."""
    host = application.hosts[0]
    web = {"hosts": [host.address]}
    application.configure(
        servers={"web": web, "worker": {**web, "cmd": "python3 worker.py"}},
        boot={"parallel_roles": True},
        readiness_delay=0,
    )
    application.commit("with parallel roles")
    application.kamal("setup")
    version = application.commit("the next one")
    with Load([f"http://{host.address}/"], rate=100) as load:
        application.kamal("deploy")
    assert load.summary.failed == 0, load.summary.failures[:10]
    assert sorted(application.containers(host, "--filter", "label=service=hello")) == [
        f"hello-web-{version}",
        f"hello-worker-{version}",
    ]
