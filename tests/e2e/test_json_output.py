"""Output for machines of commands on real servers: `--output json`, and completion (docs/cli.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pykamal.events.types import EVENT_FORMAT
from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e.application import Application

pytestmark = pytest.mark.e2e

OF_EACH_HOST = [
    "app containers",
    "app details",
    "app exec --reuse hostname",
    "app images",
    "app logs",
    "app version",
    "audit",
    "proxy details",
    "server exec hostname",
]
OTHERS = ["deploy --skip-push --plan", "rollback --plan HEAD", "lock acquire -m testing", "lock status", "lock release"]


@pytest.fixture(scope="module")
def running(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Application:
    """The example application on both hosts, for commands that change nothing about it."""
    reset(sandbox)
    made = Application.create(tmp_path_factory.mktemp("json") / "hello", sandbox)
    made.environment["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))  # versions deployed by this test alone
    made.kamal("setup")
    return made


def events(application: Application, line: str) -> list[dict[str, Any]]:
    words = line.split()
    options = 2 if "exec" in words else len(words)  # behind the first word of a command line they are its own
    outcome = application.kamal(*words[:options], "--output", "json", *words[options:])
    assert outcome.stderr == ""
    return [json.loads(told) for told in outcome.stdout.splitlines()]


def test_every_command_with_a_result(running: Application) -> None:
    """One JSON object a line and nothing else: the run's start, results host by host, the run's end."""
    addresses = {host.address for host in running.hosts}
    version = running.git("rev-parse", "HEAD")
    for line in [*OF_EACH_HOST, *OTHERS]:
        told = events(running, line.replace("HEAD", version))
        name = " ".join(word for word in line.split()[:2] if not word.startswith("-"))
        assert {event["version"] for event in told} == {EVENT_FORMAT}, line
        assert told[0]["event"] == "run-started", line
        assert name.startswith(told[0]["operation"]), line
        assert (told[-1]["event"], told[-1]["operation"]) == ("run-finished", told[0]["operation"]), line
        results = [event for event in told if event["event"] in ("host-result", "result", "plan-printed", "message")]
        assert results, line
        if line in OF_EACH_HOST:
            assert {event["host"] for event in results if event["event"] == "host-result"} == addresses, line
            assert all(event["text"] for event in results if event["event"] == "host-result"), line


def test_a_deployed_version_is_completed(running: Application) -> None:
    """`kamal rollback <TAB>` knows what was deployed from here, without asking a server."""
    version = running.git("rev-parse", "HEAD")
    later = running.commit("not deployed")
    slow = {"KAMAL_COMPLETION_SECONDS": "20"}
    outcome = running.kamal("__complete", "fish", "rollback", "", environment=slow)
    offered = [line.partition("\t")[0] for line in outcome.stdout.splitlines()]
    assert offered[0] == version
    assert later in offered
