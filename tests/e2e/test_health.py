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


def test_a_web_container_that_answers_once(running: Application) -> None:
    """The proxy asks until the first answer and no longer: it is looked at again before its image is the latest."""
    configure(running, web={"cmd": "sh -c 'python3 app.py & sleep 1; exit 1'"})
    outcome = booted(running)
    assert "exited after it had been found ready" in advice(outcome)
    assert "kamal rollback" in advice(outcome)
    configure(running)
    booted(running, expect=0)


def test_a_boot_that_takes_longer_than_its_time(running: Application) -> None:
    """It is not the port that is wrong: what was given is named, and that it was too short."""
    before = identifiers(running)
    configure(running, web={"cmd": "sh -c 'sleep 30; exec python3 app.py'", "options": {"init": True}})
    running.configure(deploy_timeout=2)
    outcome = booted(running, "--roles", "web")
    assert "runs, with processor time: 00:00:00 sleep 30" in outcome.stdout
    assert "listens on no port yet" in advice(outcome)
    assert "raise deploy_timeout in deploy.yml (now 2 seconds)" in advice(outcome)

    configure(running, web={"cmd": "sh -c 'sleep 5; exec python3 app.py'", "options": {"init": True}})
    running.configure(deploy_timeout=4, proxy={"app_port": 8000, "healthcheck": {"interval": 10}})
    outcome = booted(running, "--roles", "web")
    assert "the app boots slowly: it began to listen on port 8000 only" in advice(outcome)
    assert "raise deploy_timeout in deploy.yml (now 4 seconds)" in advice(outcome)
    assert_as_before(running, before)


def test_a_published_port_that_the_old_container_has(running: Application) -> None:
    """It is the app's own: nobody else's program is to be stopped."""
    configure(running, options={"publish": "9999:9999", "init": True})
    booted(running, "--roles", "worker", expect=0)
    before = identifiers(running)
    outcome = booted(running, "--roles", "worker")
    assert "the app's own container hello-worker-" in advice(outcome)
    assert "servers/worker/options/publish" in advice(outcome)
    assert_as_before(running, before)


def test_an_old_container_that_has_to_be_killed(running: Application) -> None:
    """Its first process ignores SIGTERM: what it was doing is lost with every deploy, and that is said."""
    stubborn = "sh -c 'trap \"\" TERM; while :; do sleep 1; done'"
    configure(running, cmd=stubborn, options={}, stop_timeout=2)
    booted(running, "--roles", "worker", expect=0)
    configure(running, stop_timeout=2)
    outcome = booted(running, "--roles", "worker", expect=0)
    (told,) = [line for line in outcome.stdout.splitlines() if "was killed after" in line]
    assert f"The old container of role worker on {running.hosts[0].address}" in told
    assert "does not end on SIGTERM" in told
    assert "options: {init: true}" in told


def accessory(application: Application, **settings: Any) -> None:
    image = f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11"
    application.configure(accessories={"db": {"image": image, "host": application.hosts[0].address, **settings}})


def test_an_accessory_whose_image_is_not_there(running: Application) -> None:
    """It is not the app's image that has to be built."""
    accessory(running, image=f"{running.sandbox.manifest.registry_server}/nowhere/db:1")
    outcome = running.kamal("accessory", "boot", "db", expect=1)
    assert "check accessories/db/image" in advice(outcome)
    assert "build push" not in outcome.stdout


def test_an_accessory_that_ends_at_once(running: Application) -> None:
    """spec/cli.md 14.8 starts it and looks no further; `start` and `restart` neither."""
    host = running.hosts[0]
    accessory(running, cmd="sh -c 'echo no password set >&2; exit 1'")
    for command in ("boot", "restart"):
        outcome = running.kamal("accessory", command, "db", expect=1)
        assert "no password set" in outcome.stdout
        assert "accessory db exited at start" in advice(outcome)
    host.docker("stop", "hello-db")
    again = running.kamal("accessory", "boot", "db")
    assert f"`db` does not run on {host.address}, its container is exited" in again.stdout
    accessory(running, cmd="sleep 9999", options={"init": True})
    running.kamal("accessory", "reboot", "db")
    assert "hello-db" in running.containers(host)
    running.kamal("accessory", "remove", "db", "-y")


def test_a_stop_that_fails_is_no_stop(running: Application) -> None:
    """spec/cli.md 14.3 and 14.8 ignore how `docker stop` ends; what runs on has not been stopped."""
    host = running.hosts[0]
    accessory(running, cmd="sleep 9999", options={"init": True})
    running.kamal("accessory", "boot", "db")
    refusing = '#!/bin/sh\ncase "$*" in *stop*) echo cannot stop it >&2; exit 1 ;; esac\nexec /usr/bin/docker "$@"\n'
    host.write("/usr/local/bin/docker", refusing, mode=0o755)
    try:
        for command in ("accessory stop db", "app stop", "proxy stop"):
            outcome = running.kamal(*command.split(), expect=1)
            assert "cannot stop it" in outcome.stdout
    finally:
        host.run(["rm", "/usr/local/bin/docker"])
    running.kamal("accessory", "remove", "db", "-y")
