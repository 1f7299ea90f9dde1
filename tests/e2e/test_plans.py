"""A command on real servers takes the steps that its `--plan` shows (cli.md, Plans)."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e.application import Application

pytestmark = pytest.mark.e2e

RANDOM = re.compile(r"(?<=[-_])(?:[0-9a-f]{16}|[0-9a-f]{12})\b")
AROUND = ("make run directory", "acquire lock", "release lock")
COMMANDS = (
    "setup",
    "deploy",
    "redeploy --skip-push",
    "rollback FIRST",
    "accessory reboot jobs",
    "proxy reboot -y",
    "prune all",
    "remove -y",
)

Step = tuple[str, str, bool]
"""Name, command and whether it changes something."""


def by_host(steps: Iterable[tuple[str | None, str, str, str]]) -> dict[str, list[Step]]:
    found = defaultdict(list)
    for host, name, text, effect in steps:
        found[host or "localhost"].append((name, RANDOM.sub("RANDOM", text), effect == "change"))
    return dict(found)


def events(application: Application, command: str, *more: str) -> list[dict[str, Any]]:
    lines = application.kamal(*command.split(), *more, "--output", "json").stdout.splitlines()
    return [json.loads(line) for line in lines]


def planned(application: Application, command: str) -> dict[str, list[Step]]:
    (plan,) = (event for event in events(application, command, "--plan") if event["event"] == "plan-printed")
    tasks = (task for phase in plan["phases"] for task in phase["tasks"])
    return by_host(
        (task["host"], step["name"], step["command"], step["effect"]) for task in tasks for step in task["steps"]
    )


def done(application: Application, command: str) -> dict[str, list[Step]]:
    started = (event for event in events(application, command) if event["event"] == "command-started")
    return by_host(
        (event["host"], event["step"], event["command"], event["effect"])
        for event in started
        if event["step"] not in AROUND
    )


LOOK = "docker ps --all --format '{{.Names}}'; docker images --quiet | sort; find /root/.kamal 2> /dev/null | sort"


def state(application: Application) -> list[str]:
    """Return the state of the hosts that a plan could have changed."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda host: host.run(["sh", "-c", LOOK]), application.hosts))


def test_what_is_planned_is_what_is_done(sandbox: Sandbox, tmp_path: Path) -> None:
    """A plan is data, and the only path: the same steps on each host in the same order; planning changes nothing."""
    reset(sandbox)
    application = Application.create(tmp_path / "hello", sandbox)
    first = application.hosts[0].address
    image = f"{sandbox.manifest.registry_server}/sandbox/python:3.11"
    jobs = {"image": image, "host": first, "cmd": "python3 -m http.server 9000", "options": {"init": True}}
    application.configure(accessories={"jobs": jobs})
    for hook in ("docker-setup", "pre-build", "pre-deploy", "post-deploy", "pre-app-boot", "post-proxy-reboot"):
        application.hook(hook, f"echo {hook} >> {tmp_path}/hooks.log")
    version = application.commit("first")
    for command in COMMANDS:
        if command == "deploy":
            application.commit("second")
        line = command.replace("FIRST", version)
        before = state(application)
        (tmp_path / "hooks.log").write_text("")
        expected = planned(application, line)
        assert state(application) == before, f"{line} --plan changes nothing"
        assert (tmp_path / "hooks.log").read_text() == "", "and runs no hook"
        actual = done(application, line)
        for host in expected.keys() | actual.keys():
            changes = [[step for step in steps.get(host, []) if step[2]] for steps in (expected, actual)]
            assert changes[0] == changes[1], f"{line} on {host}"
            missing = [step for step in expected.get(host, []) if step not in actual[host]]
            assert missing == [], f"{line} on {host}: what only looks is done as well"
