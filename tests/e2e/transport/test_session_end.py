"""The end of a session and its processes: on purpose, in time, by a signal, by accident (spec/cli.md 6)."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from pykamal.commands.command import command, shell_line
from pykamal.commands.script import Step, script
from pykamal.core.errors import CommandFailed, HostUnreachable
from pykamal.events import CommandFinished, CommandOutput, CommandStarted
from pykamal.transport.ssh_connection import SshSession
from tests.e2e.sshd import start_sshd
from tests.e2e.transport.running import Run, alive, until, until_gone

pytestmark = pytest.mark.e2e


def test_cancelling_ends_the_process_group_on_the_host(run: Run) -> None:
    """Cancelling a script ends what it started there, children included (contract of `Session`)."""

    async def body(session: SshSession) -> None:
        running = asyncio.create_task(session.run(shell_line("echo $$; sleep 300 & echo $!; wait"), name="long"))
        await until(lambda: any(isinstance(event, CommandOutput) for event in run.events))
        await asyncio.sleep(0.1)
        text = "".join(event.text for event in run.events if isinstance(event, CommandOutput))
        shell, sleeper = (int(word) for word in text.split())
        assert alive(shell)
        assert alive(sleeper)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert until_gone(shell)
        assert until_gone(sleeper)
        assert (await session.run(command("echo", "usable"))).captured == "usable"

    run(body)
    failed = [event for event in run.events if isinstance(event, CommandFinished) and event.failed]
    assert [event.exit_status for event in failed] == [143]


def test_a_process_that_ignores_the_signal_is_killed(run: Run) -> None:
    """A process that ignores SIGTERM gets SIGKILL, and the cancel takes bounded time."""

    async def body(session: SshSession) -> None:
        running = asyncio.create_task(session.run(shell_line("trap '' TERM; echo $$; while :; do sleep 1; done")))
        await until(lambda: any(isinstance(event, CommandOutput) for event in run.events))
        text = next(event.text for event in run.events if isinstance(event, CommandOutput))
        started = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert time.monotonic() - started < 12
        assert until_gone(int(text))

    run(body)


def test_a_time_limit_around_a_script_ends_it_on_the_host(run: Run, tmp_path: Path) -> None:
    """`asyncio.timeout` around a call gives TimeoutError, and the command is gone."""
    pid_file = tmp_path / "pid"

    async def body(session: SshSession) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.7):
                await session.run(shell_line(f"echo $$ > {pid_file}; exec sleep 300"))
        assert until_gone(int(pid_file.read_text()))

    run(body)


def test_a_lost_connection_names_the_step(tmp_path: Path) -> None:
    """A connection that breaks in a script raises HostUnreachable with the running step; the fleet connects anew."""
    own = start_sshd(tmp_path / "sshd")
    run = Run(own, tmp_path)

    async def body() -> None:
        async with asyncio.timeout(60), aclosing(run.fleet()) as fleet:
            session = await fleet.session(own.host)
            running = asyncio.create_task(
                session.run_script(script(Step("quick", command("true")), Step("pull image", command("sleep", "300"))))
            )
            await until(lambda: sum(isinstance(event, CommandStarted) for event in run.events) == 2)
            own.drop_connections()
            with pytest.raises(HostUnreachable, match="lost while running `pull image`") as caught:
                await running
            assert caught.value.host == own.host
            with pytest.raises(HostUnreachable):
                await session.run(command("true"))
            again = await fleet.session(own.host)
            assert again is not session
            assert (await again.run(command("echo", "back"))).captured == "back"

    try:
        asyncio.run(body())
    finally:
        own.stop()
    assert [event.failed for event in run.events if isinstance(event, CommandFinished)] == [False, True, False]


def test_a_killed_shell_is_a_failed_step(run: Run) -> None:
    """A shell that ends without a word of its own (a signal) is a failure of its step, not of the connection."""

    async def body(session: SshSession) -> None:
        with pytest.raises(CommandFailed) as caught:
            await session.run(shell_line("echo before; kill -9 $$"))
        assert caught.value.exit_status == 137
        assert caught.value.stdout == "before\n"
        with pytest.raises(CommandFailed):
            await session.run_script(
                script(Step("dies", shell_line("kill -9 $$").failing_allowed()), Step("never", command("true")))
            )

    run(body)
