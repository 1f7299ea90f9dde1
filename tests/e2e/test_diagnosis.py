"""The report on a version that does not get healthy: state, health log, last output, likely cause."""

from __future__ import annotations

from typing import Any

import pytest

from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e.application import Application

pytestmark = pytest.mark.e2e

UNHEALTHY, ENDED = "target failed to become healthy", "(restarted 3 times)"
GREEDY = 'print("filling up", flush=True); kept = [bytearray(10_000_000) for _ in range(99)]'


@pytest.fixture(scope="module")
def running(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Application:
    """The example application on the first host, with a good version that has to go on serving."""
    reset(sandbox)
    made = Application.create(tmp_path_factory.mktemp("diagnosis") / "hello", sandbox)
    made.configure(servers={"web": {"hosts": [made.hosts[0].address]}})
    made.commit("good")
    made.kamal("setup")
    return made


@pytest.mark.parametrize(
    ("change", "details", "cause"),
    [
        pytest.param(
            {"app_port": 8001},
            [UNHEALTHY, "listens on: port 8000", "last check of the proxy: http://"],
            "nothing in the container listens on port 8001, the app listens on 8000: set proxy/app_port",
            id="wrong port",
        ),
        pytest.param(
            {"path": "/not-there"},
            [UNHEALTHY, "/not-there: "],
            "the app answers 404 to the health check of /not-there",
            id="wrong path",
        ),
        pytest.param(
            {"cmd": "python3 -c 'raise SystemExit(\"no database configured\")'"},
            [ENDED, "container: ", "exit code 1", "last log lines:", "no database configured"],
            "the app exited at start",
            id="exited",
        ),
        pytest.param(
            {"cmd": f"python3 -c '{GREEDY}'", "options": {"memory": "32m", "memory-swap": "32m"}},
            [ENDED, "container: ", "filling up"],
            "ran out of memory",
            id="out of memory",
        ),
    ],
)
def test_the_likely_cause_is_told(running: Application, change: dict[str, Any], details: list[str], cause: str) -> None:
    """With what host, container and proxy really said; the old version serves on, the lock is released."""
    (host, *_) = running.hosts
    good = running.version_served(host)
    options = {"init": True, **change.get("options", {})}
    web = {"hosts": [host.address], "options": options, **({"cmd": change["cmd"]} if "cmd" in change else {})}
    health = {"path": change.get("path", "/up"), "interval": 1, "timeout": 1}
    running.configure(
        servers={"web": web},
        proxy={"app_port": change.get("app_port", 8000), "healthcheck": health},
        deploy_timeout=4,
    )
    outcome = running.kamal("app", "boot", expect=1)
    for detail in details:
        assert detail in outcome.stdout
    (advice,) = [line for line in outcome.stdout.splitlines() if line.strip().startswith("Next:")]
    assert cause in advice
    assert running.version_served(host) == good
    assert not running.locked(host)


def test_the_health_log_of_a_container_without_proxy_is_told(running: Application) -> None:
    """spec/cli.md 13.5.1, closing the barrier: Docker's own health check has said why."""
    (host, *_) = running.hosts
    health = {"health-cmd": "echo not connected to the queue; exit 1", "health-interval": "300ms"}
    running.configure(
        servers={
            "web": {"hosts": [host.address]},
            "worker": {"hosts": [host.address], "cmd": "python3 worker.py", "options": health},
        },
        deploy_timeout=3,
    )
    outcome = running.kamal("app", "boot", "--roles", "worker", expect=1)
    assert "container not ready after" in outcome.stdout
    assert "health check: exit code 1: not connected to the queue" in outcome.stdout
