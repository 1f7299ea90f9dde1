"""A version that does not work is never called deployed, and what is wrong with it is named."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e.application import Application, Outcome

pytestmark = pytest.mark.e2e

CRASHING = "sh -c 'echo no queue configured; sleep 1; exit 1'"
WORKER = "python3 worker.py"
DEPLOY_TIMEOUT = 60
"""Longer than any failure here may take."""


@pytest.fixture(scope="module")
def running(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Application:
    """Web and worker on the first host, shared: what fails leaves both as they were."""
    reset(sandbox)
    made = Application.create(tmp_path_factory.mktemp("health") / "hello", sandbox)
    configure(made)
    made.commit("good")
    made.kamal("setup")
    return made


def configure(application: Application, *, web: dict[str, Any] | None = None, **worker: Any) -> None:
    host = application.hosts[0].address
    application.configure(
        servers={
            "web": {"hosts": [host], **(web or {})},
            "worker": {"hosts": [host], "cmd": WORKER, "options": {"init": True}, **worker},
        },
        readiness_delay=2,
        deploy_timeout=DEPLOY_TIMEOUT,
    )


def booted(application: Application, *arguments: str, expect: int = 1) -> Outcome:
    """The outcome of `app boot`, which must take less time than the proxy or the worker would be waited for."""
    started = time.monotonic()
    outcome = application.kamal("app", "boot", *arguments, expect=expect)
    assert time.monotonic() - started < DEPLOY_TIMEOUT
    return outcome


def assert_as_before(application: Application, before: list[str]) -> None:
    host = application.hosts[0]
    assert identifiers(application) == before, "the old containers were not touched"
    assert application.version_served(host) is not None
    assert not application.locked(host)


def identifiers(application: Application) -> list[str]:
    return application.hosts[0].docker("ps", "--quiet", "--no-trunc").split()


def advice(outcome: Outcome) -> str:
    (line,) = [line for line in outcome.stdout.splitlines() if line.strip().startswith("Next:")]
    return line


def test_a_worker_that_ends_again_and_again(running: Application) -> None:
    """spec/cli.md 13.5.1 looks at its state, which is `running` most of the time: restarts and start time decide."""
    before = identifiers(running)
    configure(running, cmd=CRASHING)
    outcome = booted(running, "--roles", "worker")
    assert "(restarted 3 times)" in outcome.stdout
    assert "no queue configured" in outcome.stdout
    assert "exited at start" in advice(outcome)
    assert f"boot: failed on {running.hosts[0].address}; not started: tag" in outcome.stdout
    assert_as_before(running, before)


def test_a_web_container_that_ends_again_and_again(running: Application) -> None:
    """The proxy would be asked for all of deploy_timeout."""
    before = identifiers(running)
    configure(running, web={"cmd": CRASHING})
    outcome = booted(running, "--roles", "web")
    assert "(restarted 3 times)" in outcome.stdout
    assert "no queue configured" in outcome.stdout
    assert "exited at start" in advice(outcome)
    assert_as_before(running, before)
