"""The team's own scripts, run for real: when, how often, with what, and what their failure does (spec/cli.md 9)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pykamal.sandbox.sandbox import Sandbox
from tests.conftest import reset
from tests.e2e.application import KAMAL, Application

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def deployed_once(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Application:
    reset(sandbox)
    application = Application.create(tmp_path_factory.mktemp("hooks") / "hello", sandbox)
    first, second = (host.address for host in application.hosts)
    application.configure(
        boot={"parallel_roles": True},
        readiness_delay=0,
        servers={"web": [first, second], "worker": {"hosts": [first, second], "cmd": "python3 worker.py"}},
    )
    application.commit("with hooks")
    application.kamal("setup")
    return application


@pytest.fixture
def team(deployed_once: Application) -> Iterator[Application]:
    """The application, deployed, with the hooks and the configuration that a test gives it."""
    settings = deployed_once.folder / "config" / "deploy.yml"
    before = settings.read_text()
    yield deployed_once
    settings.write_text(before)
    for hook in (deployed_once.folder / ".kamal" / "hooks").iterdir():
        hook.unlink()


def path_of(application: Application, name: str) -> Path:
    return application.folder / ".kamal" / "hooks" / name


@pytest.mark.parametrize(
    ("first_line", "mode", "status", "remedy"),
    [
        ("#!/bin/sh\n", 0o644, 126, "make it executable: chmod +x .kamal/hooks/pre-connect"),
        ("#!/bin/sh\r\n", 0o755, 127, "sed -i 's/\\r$//' .kamal/hooks/pre-connect"),
        ("#!/usr/bin/env -S missing\n", 0o755, 127, "a program that is not on this machine: missing"),
        ("#!/usr/bin/missing -x\n", 0o755, 127, "a program that is not on this machine: /usr/bin/missing"),
        ("#!/bin/sh\nexit 127\n", 0o755, 127, "fix .kamal/hooks/pre-connect, or skip hooks with --skip-hooks"),
    ],
)
def test_a_hook_that_cannot_run(team: Application, first_line: str, mode: int, status: int, remedy: str) -> None:
    """spec/cli.md 9.1: the file is there, so it is meant to run; the error says why it cannot and what helps."""
    team.hook("pre-connect", "")
    path_of(team, "pre-connect").write_bytes(first_line.encode())
    path_of(team, "pre-connect").chmod(mode)
    outcome = team.kamal("app", "version", expect=1)
    assert "ERROR (Kamal::Cli::HookError): Hook `pre-connect` failed:" in outcome.stdout
    assert f"exit status: {status}" in outcome.stdout
    assert remedy in outcome.stdout.split("Next: ")[1]
    if "exit 127" not in first_line:
        assert team.kamal("app", "version", "-H").exit_code == 0


def test_a_hook_without_a_first_line_is_a_shell_script(team: Application) -> None:
    """spec/cli.md 9.1: `/usr/bin/env` runs such a file as a shell does."""
    team.hook("pre-connect", "")
    path_of(team, "pre-connect").write_text("echo plain $KAMAL_SERVICE\n")
    assert "plain hello" in team.kamal("app", "version", "-v").stdout


@pytest.mark.parametrize(
    ("setting", "flag", "shown"),
    [
        (None, None, False),
        (None, "-v", True),
        ("verbose", None, True),
        ("verbose", "-q", False),
        ("quiet", None, False),
        ("quiet", "-v", True),
        ({"pre-connect": "verbose"}, None, True),
        ({"pre-deploy": "verbose"}, None, False),
    ],
)
def test_the_output_of_hooks(
    team: Application, setting: str | dict[str, str] | None, flag: str | None, shown: bool
) -> None:
    """spec/cli.md 9.4: `hooks_output` for all or for one; `-v` and `-q` have the last word."""
    team.configure(hooks_output=setting)
    team.hook("pre-connect", "echo said by the hook")
    outcome = team.kamal("app", "version", *([flag] if flag else []))
    assert ("said by the hook" in outcome.stdout) == shown
    announced = "Running .kamal/hooks/pre-connect" in outcome.stdout
    assert announced == (flag == "-v" or (flag is None and setting != "quiet"))


def test_groups_skip_hooks_too(team: Application) -> None:
    """spec/cli.md 9.5 and 22, 3: Ruby Kamal accepts `-H` there and runs them all the same."""
    team.hook("pre-connect", "exit 1")
    team.hook("docker-setup", "exit 1")
    team.hook("pre-proxy-reboot", "exit 1")
    team.hook("pre-app-boot", "exit 1")
    for command in (("server", "bootstrap"), ("proxy", "reboot", "-y"), ("app", "boot")):
        team.kamal(*command, "-H")
        team.kamal(*command, expect=1)


def test_pre_connect_runs_once(team: Application, tmp_path: Path) -> None:
    """spec/cli.md 9.5 and 22, 5: before the first connection of all, however many hosts and roles begin at once."""
    record = tmp_path / "ran"
    team.hook("pre-connect", f"sleep 0.3; echo $KAMAL_COMMAND >> {record}")
    for command in (("app", "stop"), ("app", "start"), ("redeploy", "-P"), ("build", "push"), ("details",)):
        record.unlink(missing_ok=True)
        team.kamal(*command)
        assert record.read_text() == f"{command[0]}\n"
    for command in (("version",), ("config",), ("secrets", "print")):
        record.unlink(missing_ok=True)
        team.kamal(*command)
        assert not record.exists(), "what stays on this machine has nothing to connect to"


@pytest.mark.parametrize("command", ["app exec true", "app exec --reuse true", "app exec -i true", "server exec true"])
def test_nothing_is_announced_before_pre_connect(team: Application, command: str) -> None:
    """spec/cli.md 14.4: the checks of the command line, then the hook, then what is launched where."""
    team.hook("pre-connect", "exit 3")
    said = team.kamal(*command.split(), expect=1).stdout
    assert "Hook `pre-connect` failed" in said
    assert not any(word in said for word in ("Get most recent", "Get current", "Launching", "Running 'true'"))


def test_a_failing_pre_connect_connects_nowhere(team: Application) -> None:
    """spec/cli.md 9.4: the command stops at that point, with one error however many hosts were meant."""
    team.hook("pre-connect", "echo no way >&2; exit 3")
    outcome = team.kamal("app", "details", expect=1)
    assert outcome.stdout.count("Hook `pre-connect` failed") == 1
    assert "no way" in outcome.stdout
    assert "docker ps" not in outcome.stdout


def test_a_failing_post_deploy_takes_nothing_back(team: Application) -> None:
    """spec/cli.md 9.4: exit code 1, and what was deployed stays."""
    team.hook("post-deploy", "exit 3")
    outcome = team.kamal("redeploy", "-P", expect=1)
    assert "Hook `post-deploy` failed" in outcome.stdout
    assert "Finished all in" in outcome.stdout
    version = team.git("rev-parse", "HEAD")
    assert [team.version_served(host) for host in team.hosts] == [version, version]
    assert not team.locked(team.hosts[0])


@pytest.mark.parametrize(
    ("hook", "command"),
    [("pre-app-boot", ("app", "boot")), ("pre-proxy-reboot", ("proxy", "reboot", "-y"))],
)
def test_a_failing_hook_before_a_change(team: Application, hook: str, command: tuple[str, ...]) -> None:
    """spec/cli.md 9.4: what it comes before does not happen, and the lock is released."""
    before = [host.docker("ps", "--quiet", "--no-trunc") for host in team.hosts]
    team.hook(hook, "exit 3")
    assert f"Hook `{hook}` failed" in team.kamal(*command, expect=1).stdout
    assert [host.docker("ps", "--quiet", "--no-trunc") for host in team.hosts] == before
    assert not team.locked(team.hosts[0])


def test_a_hook_may_run_kamal_under_the_lock(team: Application, tmp_path: Path) -> None:
    """spec/cli.md 8.2: `KAMAL_LOCK=true` tells the inner one that the lock is held for it, by its parent."""
    said = tmp_path / "said"
    team.hook("pre-deploy", f"{{ {KAMAL} prune all && {KAMAL} lock status; }} > {said} 2>&1")
    team.kamal("redeploy", "-P")
    text = said.read_text()
    assert "Acquiring the deploy lock" not in text
    assert "Pruned" not in text.split("Locked by")[1]
    assert "Locked by: Ada at " in text, "and it is still held when the inner one is done"
    assert not team.locked(team.hosts[0])

    team.hook("pre-connect", f"test $KAMAL_COMMAND = app || {KAMAL} prune all -H > {said} 2>&1")
    path_of(team, "pre-deploy").unlink()
    team.kamal("redeploy", "-P")
    assert "Acquiring the deploy lock" in said.read_text(), "before the lock is taken, the inner one takes its own"
