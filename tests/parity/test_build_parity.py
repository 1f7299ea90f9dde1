"""Building and registries with either tool: the same on the operator's machine, in the registry and on the servers.

Each flow is run by Ruby Kamal and by our `kamal` from the same beginning, in the same folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e import local_registry
from tests.e2e.application import Application, Outcome
from tests.parity import operator_state, server_state
from tests.parity.team import Tool

pytestmark = pytest.mark.parity

TOOLS: tuple[Tool, ...] = ("ruby", "ours")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Seen:
    """The state after a command: exit code, class of the error, this machine, logins of the hosts, the registry."""

    exit_code: int
    error: str | None
    machine: operator_state.State
    host_logins: list[bool]
    published: dict[str, str | None]


class Comparison:
    """Runs the same commands with both tools, each from the same beginning."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.version = application.git("rev-parse", "HEAD")

    def run(self, *commands: str, prepare: Callable[[Application], None] | None = None) -> dict[Tool, list[Seen]]:
        """Return the state after each command, by tool. `prepare` comes before the first."""
        seen: dict[Tool, list[Seen]] = {}
        for tool in TOOLS:
            reset(self.application.sandbox)
            operator_state.clear(self.application)
            self.application.sandbox.login()  # for the base image
            if prepare is not None:
                prepare(self.application)
            seen[tool] = [self._see(run_with(self.application, tool, command)) for command in commands]
        return seen

    def _see(self, outcome: Outcome) -> Seen:
        errors = re.findall(r"ERROR \(([^)]*)\)", ANSI.sub("", outcome.stdout))
        server = self.application.sandbox.manifest.registry_server
        logins = [host.run(["cat", "/root/.docker/config.json"], check=False) for host in self.application.hosts]
        return Seen(
            exit_code=outcome.exit_code,
            error=errors[0] if errors else None,
            machine=operator_state.read(self.application),
            host_logins=[server in text for text in logins],
            published=server_state.published(self.application.sandbox, "hello/app", [self.version, "latest"]),
        )


def run_with(application: Application, tool: Tool, command: str) -> Outcome:
    kamal = application.ruby_kamal if tool == "ruby" else application.kamal
    return kamal(*command.split(), expect=None)


@pytest.fixture
def comparison(application: Application) -> Iterator[Comparison]:
    yield Comparison(application)
    operator_state.clear(application)


@pytest.fixture(scope="module")
def image(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    local_registry.provide_image(sandbox, tmp_path_factory.mktemp("registry") / "image")


def test_push(comparison: Comparison) -> None:
    """spec/cli.md 15.2, 15.3: images, labels, tags, the clone, what is in the registry; a second push the same."""

    def dirty(application: Application) -> None:
        (application.folder / "app.py").write_text("raise SystemExit('not committed')\n")

    seen = comparison.run("build push", "build push", prepare=dirty)
    assert seen["ours"] == seen["ruby"]
    assert seen["ours"][0].exit_code == 0
    assert len(seen["ours"][0].machine["images"]) == 2
    assert None not in seen["ours"][0].published.values()


@pytest.mark.long
@pytest.mark.parametrize(
    "builder",
    [
        {"driver": "docker-container"},
        {"driver": "docker"},
        {"remote": "ssh://root@{host}:22", "local": False},
        {"arch": ["amd64", "arm64"], "remote": "ssh://root@{host}"},
    ],
    ids=["local", "engine", "remote", "hybrid"],
)
def test_builders(comparison: Comparison, builder: dict[str, Any], tmp_path: Path) -> None:
    """spec/cli.md 15.1, 15.5: builders and contexts by name, made once and removed once."""
    application = comparison.application
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {application.sandbox.paths.ssh_config} "$@"\n')
    ssh.chmod(0o755)
    application.environment["PATH"] = f"{tmp_path}:{application.environment['PATH']}"
    host = application.hosts[0].address
    remote = {"remote": builder["remote"].format(host=host)} if "remote" in builder else {}
    application.configure(builder={"arch": "amd64", **builder, **remote})
    seen = comparison.run("build create", "build create", "build details", "build remove", "build remove")
    assert seen["ours"] == seen["ruby"]
    assert [each.exit_code for each in seen["ours"]][::4] in ([0, 1], [0, 0])


@pytest.mark.long
def test_dev(comparison: Comparison) -> None:
    """spec/cli.md 15.5: the dirty image of the working directory, and what is warned of.

    Ruby Kamal lists the files by an image made of busybox, which is in no registry in reach: another takes its name.
    """
    application = comparison.application
    base = f"{application.sandbox.manifest.registry_server}/sandbox/python:3.11"
    application.sandbox.docker("tag", base, "busybox")
    (application.folder / "app.py").write_text("print('changed')\n")
    (application.folder / "new.py").write_text("print('new')\n")
    warnings: list[list[str]] = []
    seen: list[operator_state.State] = []
    try:
        for tool in TOOLS:
            operator_state.clear(application)
            application.sandbox.login()
            outcome = run_with(application, tool, "build dev")
            assert outcome.exit_code == 0, outcome.text
            text = ANSI.sub("", outcome.stdout)
            warnings.append([line for line in text.splitlines() if line.startswith(("WARNING", "  new", "  app"))])
            seen.append(operator_state.read(application))
    finally:
        application.sandbox.docker("image", "rm", "--force", "busybox", "kamal-local-build-check", check=False)
    assert seen[0] == seen[1]
    assert warnings[0] == warnings[1]
    assert len(warnings[1]) == 4


@pytest.mark.long
def test_logins(comparison: Comparison) -> None:
    """spec/cli.md 14.9: who is logged in after each command, here and on the hosts."""
    seen = comparison.run(
        "registry logout -R", "registry login -L", "registry setup -R", "registry remove -L", "registry logout"
    )
    assert seen["ours"] == seen["ruby"]
    assert [(bool(each.machine["logins"]), each.host_logins) for each in seen["ours"]] == [
        (False, [False, False]),
        (False, [True, True]),
        (True, [True, True]),
        (True, [False, False]),
        (False, [False, False]),
    ]


@pytest.mark.long
@pytest.mark.usefixtures("image")
def test_local_registry(comparison: Comparison) -> None:
    """spec/cli.md 14.9: the container, and what is refused."""
    local_registry.use(comparison.application)
    seen = comparison.run(
        "registry login", "registry logout", "registry setup", "registry setup", "registry remove", "registry remove"
    )
    assert seen["ours"] == seen["ruby"]
    assert [each.exit_code for each in seen["ours"]] == [1, 1, 0, 0, 0, 0]
    assert [each.machine["local registry"] is not None for each in seen["ours"]] == [
        False, False, True, True, False, False
    ]  # fmt: skip


@pytest.mark.long
@pytest.mark.usefixtures("image")
def test_deploying_through_a_local_registry(comparison: Comparison) -> None:
    """spec/cli.md 15.4, 15.6: the servers cannot tell who pushed and pulled through the forwarded port."""
    application = comparison.application
    local_registry.use(application)
    version = application.git("rev-parse", "HEAD")
    servers = {}
    for tool in TOOLS:
        reset(application.sandbox)
        operator_state.clear(application)
        application.sandbox.login()
        outcome = run_with(application, tool, "setup")
        assert outcome.exit_code == 0, outcome.text
        assert [application.version_served(host) for host in application.hosts] == [version, version]
        servers[tool] = [server_state.read(host, {version: "V1", version[:7]: "V1"}) for host in application.hosts]
    for ruby, ours in zip(servers["ruby"], servers["ours"], strict=True):
        assert list(server_state.differences(ruby, ours)) == []


def test_no_dockerfile(comparison: Comparison) -> None:
    """spec/cli.md 15.3: the same error; Ruby Kamal has logged in, called the hook and cloned by then."""
    (comparison.application.folder / "Dockerfile").unlink()
    comparison.application.commit("without a Dockerfile")
    seen = comparison.run("build push")
    (ruby,), (ours,) = seen["ruby"], seen["ours"]
    assert (ours.exit_code, ours.error) == (ruby.exit_code, ruby.error)
    assert ours.error == "Kamal::Commands::Builder::Base::BuilderError"
