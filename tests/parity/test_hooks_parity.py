"""Ruby Kamal and this tool run the same hooks in the same order with the same variables.

One life of an application is lived with each tool from the same beginning; every hook writes down its environment.
What may differ is in `ALLOWED`, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e.application import Application
from tests.parity.server_state import TIME
from tests.parity.team import Team, Tool

pytestmark = [pytest.mark.parity, pytest.mark.long]

HOOKS: Final = (
    *("docker-setup", "pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"),
    *("pre-proxy-reboot", "post-proxy-reboot"),
)
LIFE: Final = {
    "setup": "setup",
    "deploy a role": "deploy -P -r web",
    "redeploy": "redeploy -P -h *",
    "rollback": "rollback V1",
    "boot the latest": "app boot",
    "boot a version": "app boot --version V2 --primary",
    "reboot the proxy": "proxy reboot --rolling -y",
    "bootstrap": "server bootstrap",
    "push": "build push",
    "exec": "app exec --reuse date --primary",
    "exec in a new container": "app exec date --primary",
    "nothing to run": "deploy -P -H",
}
AT: Final = {"setup": 1}
"""The version that is checked out at a step, where it is not the second one."""

Hooks = list[tuple[str, dict[str, str]]]

EVERYWHERE: Final = {
    "KAMAL_SUBCOMMAND": "Ruby never sets it, though it is documented (spec/cli.md 22, 4)",
}
ALLOWED: Final = {
    (
        "rollback",
        "pre-connect",
    ): "Ruby names the commit that is checked out, before it looks at its arguments; ours "
    "the version that the rollback is to, as every other hook is told",
}


@pytest.fixture(scope="module")
def lives(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[Tool, dict[str, Hooks]]:
    tools: tuple[Tool, ...] = ("ruby", "ours")
    return {tool: dict(_lived(sandbox, tmp_path_factory.mktemp(tool), tool)) for tool in tools}


def _lived(sandbox: Sandbox, folder: Path, tool: Tool) -> Iterator[tuple[str, Hooks]]:
    reset(sandbox)
    application = Application.create(folder / "hello", sandbox)
    application.environment.pop("REGISTRY_PASSWORD", None)
    first, second = (host.address for host in application.hosts)
    application.configure(
        boot={"limit": 1},
        readiness_delay=0,
        servers={"web": [first, second], "worker": {"hosts": [second], "cmd": "python3 worker.py"}},
    )
    (folder / "hello" / ".kamal" / "secrets").rename(folder / "hello" / ".kamal" / "secrets-common")
    (folder / "hello" / "config" / "deploy.staging.yml").write_text("env: {clear: {STAGE: staging}}\n")
    team = Team(application, folder / "hooks", ("-d", "staging"))
    for name in HOOKS:
        application.hook(name, f"{{ printf 'hook=%s\\0' {name}; env -0; }} >> {team.record}")
    for step, line in LIFE.items():
        team.be_at(AT.get(step, 2))
        if step == "deploy a role":
            team.run(tool, "build", "push")
            team.hooks_taken()
        words = [team.versions[int(word[1:]) - 1] if re.fullmatch(r"V\d", word) else word for word in line.split()]
        team.run(tool, *words)
        yield step, [(name, _told(variables, team)) for name, variables in team.hooks_taken()]


def _told(variables: dict[str, str], team: Team) -> dict[str, str]:
    """Return the variables that Kamal set: times and durations by their form, commits by their short names."""
    found = {name: value for name, value in variables.items() if name.startswith("KAMAL_")}
    if "REGISTRY_PASSWORD" in variables:
        found["(secrets)"] = "yes"
    for version, short in team.short_names.items():
        found = {name: value.replace(version, short) for name, value in found.items()}
    found["KAMAL_RECORDED_AT"] = TIME.sub("TIME", found.get("KAMAL_RECORDED_AT", ""))
    if "KAMAL_RUNTIME" in found:
        found["KAMAL_RUNTIME"] = re.sub(r"^\d+$", "SECONDS", found["KAMAL_RUNTIME"])
    for number, host in enumerate(team.hosts, 1):
        found = {name: value.replace(host.address, f"HOST{number}") for name, value in found.items()}
    return found


def _comparable(step: str, hooks: Hooks) -> Hooks:
    found: Hooks = []
    for name, variables in hooks:
        if found and found[-1][0] == name == "pre-connect":
            continue  # Ruby's may run several times at once (spec/cli.md 22, 5)
        kept = {key: value for key, value in variables.items() if key not in EVERYWHERE}
        if (step, name) in ALLOWED:
            kept = {key: value for key, value in kept.items() if "VERSION" not in key}
        found.append((name, kept))
    return found


@pytest.mark.parametrize("step", LIFE)
def test_hooks_are_told_the_same(lives: dict[Tool, dict[str, Hooks]], step: str) -> None:
    """spec/cli.md 9.2 and 9.3."""
    assert _comparable(step, lives["ours"][step]) == _comparable(step, lives["ruby"][step])


@pytest.mark.parametrize(("step", "hook"), ALLOWED)
def test_what_is_allowed_to_differ_does(lives: dict[Tool, dict[str, Hooks]], step: str, hook: str) -> None:
    """An exception that is no longer needed is taken off the list."""
    versions = [dict(lives[tool][step])[hook]["KAMAL_VERSION"] for tool in ("ruby", "ours")]
    assert versions == ["V2", "V1"]


def test_what_ours_tells(lives: dict[Tool, dict[str, Hooks]]) -> None:
    """spec/cli.md 9.2, 9.3, 22.4 and 22.5: word for word, so that a mistake of both would be seen too."""
    common = {"KAMAL_RECORDED_AT": "TIME", "KAMAL_PERFORMER": "ada@example.com", "KAMAL_DESTINATION": "staging"}
    hooks = lives["ours"]["deploy a role"]
    common |= {"KAMAL_SERVICE": "hello", "KAMAL_VERSION": "V2", "KAMAL_SERVICE_VERSION": "hello@V2"}
    common |= {"KAMAL_COMMAND": "deploy", "KAMAL_ROLES": "web"}
    both = {"KAMAL_HOSTS": "HOST1,HOST2"}
    secrets = {"(secrets)": "yes"}
    free, locked = {"KAMAL_LOCK": "false"}, {"KAMAL_LOCK": "true"}
    assert hooks == [
        ("pre-connect", common | both | free | secrets),
        ("pre-deploy", common | both | locked | secrets),
        ("pre-app-boot", common | locked | {"KAMAL_HOSTS": "HOST1"}),
        ("post-app-boot", common | locked | {"KAMAL_HOSTS": "HOST1"}),
        ("pre-app-boot", common | locked | {"KAMAL_HOSTS": "HOST2"}),
        ("post-app-boot", common | locked | {"KAMAL_HOSTS": "HOST2"}),
        ("post-deploy", common | both | free | secrets | {"KAMAL_RUNTIME": "SECONDS"}),
    ]
    for step, line in LIFE.items():
        command, *words = line.split()
        told = {variables.get("KAMAL_SUBCOMMAND") for _, variables in lives["ours"][step]}
        assert told <= {words[0] if command in {"app", "proxy", "server", "build"} else None}
        names = [name for name, _ in lives["ours"][step]]
        assert names.count("pre-connect") == (0 if step == "nothing to run" else 1)
