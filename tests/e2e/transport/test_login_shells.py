"""The login shell reads the user's own command lines, as with `ssh HOST LINE` (spec/cli.md 6.1, 14.1)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pykamal.commands.command import command, shell_line
from pykamal.commands.processes import by_login_shell
from pykamal.commands.script import Step, script
from pykamal.core.errors import UnexpectedAnswer
from pykamal.events import CommandStarted
from pykamal.transport.ssh_connection import SshSession
from tests.e2e.sshd import start_sshd
from tests.e2e.transport.running import Run

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["bash", "dash"])
def login(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Run]]:
    with login_with(str(shutil.which(request.param)), tmp_path) as run:
        yield request.param, run


@contextmanager
def login_with(shell: str, tmp_path: Path) -> Iterator[Run]:
    """A login whose entry in the user database has that shell, on an sshd that sees a database of its own."""
    users = (line.split(":") for line in Path("/etc/passwd").read_text().splitlines())
    database = tmp_path / "passwd"
    database.write_text("".join(":".join([*fields[:-1], shell]) + "\n" for fields in users))
    mounting = f'mount --bind {database} /etc/passwd && exec "$@"'
    server = start_sshd(tmp_path / "sshd", prefix=("unshare", "--mount", "sh", "-c", mounting, "sh"))
    try:
        yield Run(server, tmp_path)
    finally:
        server.stop()


BASH = {
    "[[ 1 = 1 ]] && echo yes": "yes\n",
    "echo {1..3}": "1 2 3\n",
    "cat <(echo x)": "x\n",
    "source /dev/stdin <<< 'echo sourced'": "sourced\n",
    "set -o pipefail; false | true || echo failed": "failed\n",
    "echo out &> file; cat file": "out\n",
    "echo $'a\\tb'": "a\tb\n",
}
"""Lines that bash alone understands."""


def test_a_line_is_read_by_the_shell_of_the_login(login: tuple[str, Run]) -> None:
    """A bash login has bash's language, a dash login that of dash; what both have is the same."""
    shell, run = login

    async def body(session: SshSession) -> None:
        both = {'echo "$(basename "$0") it\'s $((1 + 1))" | cat': f"{shell} it's 2\n", "exit 3": ""}
        lines = {**both, **(BASH if shell == "bash" else {"echo {1..3}": "{1..3}\n"})}
        steps = (Step(line, by_login_shell(shell_line(line)).failing_allowed()) for line in lines)
        results = await session.run_script(script(steps))
        assert {result.step.name: result.stdout for result in results} == lines
        assert {result.step.name: result.exit_status for result in results if not result.ok} == {"exit 3": 3}
        assert session.exchanges == 1

    run(body)


def test_a_syntax_error_is_said_by_that_shell_and_belongs_to_its_step(login: tuple[str, Run]) -> None:
    """The step before it ran, the one behind it did not, and the message is the one that the user's shell has."""
    shell, run = login

    async def body(session: SshSession) -> None:
        broken = by_login_shell(shell_line('echo "open'))
        steps = script(Step("audit", command("echo", "noted")), Step("", broken), Step("", command("echo", "no")))
        audit, failed = await session.run_script(steps, check=False)
        assert (audit.ok, audit.stdout) == (True, "noted\n")
        assert failed.exit_status == 2
        assert shell in failed.stderr
        assert "quoted string" in failed.stderr or "matching" in failed.stderr
        assert failed.failure("h").command == 'echo "open'

    run(body)


@pytest.mark.parametrize("login", ["fish", "zsh"], indirect=True)
def test_scripts_and_fed_commands_run_whatever_the_shell_of_the_login(login: tuple[str, Run]) -> None:
    """The login's shell starts `sh` and has no part in what that reads."""
    _shell, run = login

    async def body(session: SshSession) -> None:
        fed = await session.feed(Step("", command("cat")), b"first")
        assert (fed.stdout, fed.stderr) == ("first", "")
        for number in range(2):
            assert (await session.run(command("printf", "%s|", f"${number}", "it's"))).stdout == f"${number}|it's|"
        fed = await session.feed(Step("", command("cat").or_(command("true"))), b"it's $1")
        assert fed.stdout == "it's $1"
        line = by_login_shell(shell_line('echo "it\'s" | cat'))
        assert (await session.run(line)).stdout == "it's\n"

    run(body)


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("echo This account is not available.; exit 1", ["exit status 1", "said: This account is not available."]),
        ('exec bash -r "$@"', ["exit status 1", "exec: restricted"]),
        ("exit 0", ["exit status 0"]),
        ("echo hello; exec cat", ["the script itself, which it gave back"]),
    ],
)
def test_a_login_shell_that_runs_nothing(text: str, evidence: list[str], tmp_path: Path) -> None:
    """It is named itself, with what it said, and no step is blamed; a script that it gives back is not shown."""
    shell = tmp_path / "login-shell"
    shell.write_text(f"#!/bin/sh\n{text}\n")
    shell.chmod(0o755)
    tmp_path.chmod(0o755)

    async def body(session: SshSession) -> None:
        with pytest.raises(UnexpectedAnswer) as caught:
            await session.run_script(script(Step("audit", command("echo", "a secret"))))
        assert "shell of" in caught.value.message
        told = "\n".join(caught.value.details)
        assert [each for each in evidence if each not in told] == []
        assert "a secret" not in told
        assert "login shell" in str(caught.value.hint)

    with login_with(str(shell), tmp_path) as run:
        run(body)
        assert not any(isinstance(event, CommandStarted) for event in run.events)
