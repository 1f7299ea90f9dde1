"""The number of login shells that a run starts on a host: each of them reads start-up files, which may be slow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from pykamal.commands.command import command, query, shell_line
from pykamal.commands.processes import by_login_shell
from pykamal.commands.script import Step, script
from pykamal.commands.words import Syntax
from pykamal.transport.ssh_connection import SshSession
from tests.e2e.sshd import start_sshd
from tests.e2e.transport.running import Run

pytestmark = pytest.mark.e2e


class Counting(Run):
    """Runs on a host whose bash start-up file writes a line each time that it is read."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "logins"
        home = directory / "home"
        home.mkdir()
        (home / ".bashrc").write_text(f"echo read >> {self._log}\nexport FROM_BASHRC=exported\n")
        super().__init__(start_sshd(directory / "sshd", home=home), directory)

    @property
    def logins(self) -> int:
        return len(self._log.read_text().splitlines())


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    run = Counting(tmp_path)
    yield run
    run.server.stop()


async def several(session: SshSession) -> None:
    for number in range(3):
        assert (await session.run(command("echo", str(number)))).captured == str(number)


async def a_failure(session: SshSession) -> None:
    assert [result.exit_status for result in await session.run_script(script(Step("", query("false"))), check=False)]
    assert (await session.run(command("echo", "again"))).captured == "again"


async def one_line_of_a_user(session: SshSession) -> None:
    line = by_login_shell(shell_line("echo {1..3} $FROM_BASHRC"))
    results = await session.run_script(script(Step("audit", command("true")), Step("", line)))
    assert results[1].captured == "1 2 3 exported"


async def a_file(session: SshSession) -> None:
    await session.run(query("true"))
    result = await session.feed(Step("", query("cat")), b"content" * 100_000)
    assert result.stdout == "content" * 100_000


KINDS: dict[str, Callable[[SshSession], Awaitable[object]]] = {
    "a query": lambda session: session.run(query("true")),
    "a change": lambda session: session.run(command("true")),
    "a script": lambda session: session.run_script(script(Step("", query("true")), Step("", command("true")))),
    "a fed command": lambda session: session.feed(Step("", command("cat")), b"content"),
    "a user's line": one_line_of_a_user,
    "several scripts": several,
    "a failure and its explanation": a_failure,
    "a script and a fed command": a_file,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_starts_one_login_shell_on_a_host(counting: Counting, kind: str) -> None:
    """Scripts that follow each other share a shell, and no shell is started that nobody needs."""

    async def body(session: SshSession) -> None:
        await KINDS[kind](session)

    counting(body)
    assert counting.logins == 1


def test_scripts_side_by_side_have_a_shell_each(counting: Counting) -> None:
    """A shell runs one script at a time; those that were at work at once are not kept but for one."""

    async def body(session: SshSession) -> None:
        both = script(Step("", command("sleep", "0.3")), Step("", command("echo", Syntax("$PPID"))))
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(session.run_script(both))
        await several(session)

    counting(body)
    assert counting.logins == 3


def test_what_a_line_left_behind_does_not_print_into_the_next_script(counting: Counting) -> None:
    """A user's line may start a process that goes on printing: the shell that it wrote to is not used again."""

    async def body(session: SshSession) -> None:
        await session.run(by_login_shell(shell_line("(while echo noise; do sleep 0.01; done) &")))
        result = await session.run(command("sleep", "0.2").and_(command("echo", "clean")))
        assert result.stdout == "clean\n"

    counting(body)
    assert counting.logins == 2
