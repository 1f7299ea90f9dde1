"""Sessions against a real sshd on 127.0.0.1 (spec/cli.md 6, 7)."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from pykamal.commands.command import command, shell_line
from pykamal.commands.script import Step, script
from pykamal.commands.words import Syntax
from pykamal.core.errors import CommandFailed, ConnectionFailed, UnexpectedAnswer
from pykamal.events import CommandFinished, CommandOutput, CommandStarted, Connected
from pykamal.transport.ssh_connection import SshSession
from tests.e2e.sshd import start_sshd
from tests.e2e.transport.running import Run, alive, until

pytestmark = pytest.mark.e2e


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def children(process_id: str) -> list[str]:
    """Process identifier and arguments of each child."""
    arguments = ["ps", "-o", "pid=,args=", "--ppid", process_id]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()


def test_steps_are_reported_one_by_one(run: Run) -> None:
    """One exchange carries all steps, each with its own status, output and events (spec/cli.md 20.2)."""

    async def body(session: SshSession) -> None:
        results = await session.run_script(
            script(
                Step("first", command("echo", "one")),
                Step("second", shell_line("echo two >&2; exit 4").failing_allowed()),
                Step("third", command("printf", "%s", "three")),
            )
        )
        assert [(result.exit_status, result.stdout, result.stderr) for result in results] == [
            (0, "one\n", ""),
            (4, "", "two\n"),
            (0, "three", ""),
        ]
        assert session.exchanges == 1

    run(body)
    started = [event for event in run.events if isinstance(event, CommandStarted)]
    finished = [event for event in run.events if isinstance(event, CommandFinished)]
    assert [(event.step, event.command, event.exchange) for event in started] == [
        ("first", "echo one", 1),
        ("second", "echo two >&2; exit 4", 1),
        ("third", "printf %s three", 1),
    ]
    assert [event.exit_status for event in finished] == [0, 4, 0]
    assert not any(event.failed for event in finished)
    assert [event.id for event in started] == [event.id for event in finished]
    assert isinstance(run.events[0], Connected)


def test_noise_of_the_login_shell_is_no_output(run: Run) -> None:
    """A .bashrc that prints does not get into any result (spec/cli.md 6.1: the login shell interprets the string)."""

    async def body(session: SshSession) -> None:
        result = await session.run(command("echo", "clean"))
        assert (result.stdout, result.stderr) == ("clean\n", "")

    run(body)
    texts = "".join(event.text for event in run.events if isinstance(event, CommandOutput))
    assert texts == "clean\n"


def test_a_failing_step_stops_the_script(run: Run, tmp_path: Path) -> None:
    """Steps after a failing one do not run; the error has the command, its status and its stderr (spec/cli.md 6.1)."""
    witness = tmp_path / "witness"

    async def body(session: SshSession) -> None:
        steps = script(
            Step("fine", command("true")),
            Step("broken", shell_line("echo oops >&2; exit 3")),
            Step("late", command("touch", str(witness))),
        )
        with pytest.raises(CommandFailed) as caught:
            await session.run_script(steps)
        assert caught.value.exit_status == 3
        assert caught.value.stderr == "oops\n"
        assert caught.value.host == run.server.host
        assert caught.value.message.endswith("echo exit status: 3")

        results = await session.run_script(steps, check=False)
        assert [result.exit_status for result in results] == [0, 3]

    run(body)
    assert not witness.exists()


def test_output_is_streamed_while_the_step_runs(run: Run) -> None:
    """The first line of a slow command is told of before the command ends."""

    async def body(session: SshSession) -> None:
        await session.run(shell_line("echo early; sleep 0.5; echo late"))

    run(body)
    early, late = (event.at for event in run.events if isinstance(event, CommandOutput))
    assert late - early > 0.3


def test_a_megabyte_of_output_is_complete(run: Run) -> None:
    """Large output on both streams at once arrives whole."""

    async def body(session: SshSession) -> None:
        result = await session.run(
            shell_line("head -c 1048576 /dev/zero | tr '\\0' x; head -c 1048576 /dev/zero | tr '\\0' y >&2")
        )
        assert result.stdout == "x" * 1048576
        assert result.stderr == "y" * 1048576

    run(body)


def test_binary_output_does_no_harm(run: Run) -> None:
    """Bytes that are no UTF-8 become replacement characters, and the steps are still told apart."""

    async def body(session: SshSession) -> None:
        noise = "head -c 200000 /dev/urandom"
        results = await session.run_script(
            script(
                Step("noise", shell_line(noise)),
                Step("half", shell_line("printf '\\303'")),
                Step("after", command("echo", "é")),
            )
        )
        assert [result.exit_status for result in results] == [0, 0, 0]
        assert results[1].stdout == "\ufffd"
        assert results[2].stdout == "é\n"

    run(body)


def test_a_background_process_does_not_hold_the_script(run: Run, tmp_path: Path) -> None:
    """A step that leaves a process with our output open behind is over when it is over."""

    async def body(session: SshSession) -> None:
        started = time.monotonic()
        result = await session.run(shell_line("sleep 30 & echo $!"))
        assert time.monotonic() - started < 10
        os.kill(int(result.captured), 9)

    run(body)


def test_commands_read_nothing(run: Run) -> None:
    """Standard input of a command is empty: it can neither wait for us nor eat the script (spec/cli.md 6.1)."""

    async def body(session: SshSession) -> None:
        results = await session.run_script(
            script(Step("reads", command("cat")), Step("next", command("echo", "still here")))
        )
        assert [result.stdout for result in results] == ["", "still here\n"]

    run(body)


def test_scripts_share_the_connection(run: Run) -> None:
    """Scripts for one host at the same time run side by side on one connection, more of them than sshd has sessions."""

    async def body(session: SshSession) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(session.run(shell_line(f"sleep 0.1; echo {number}"))) for number in range(14)]
        assert [task.result().captured for task in tasks] == [str(number) for number in range(14)]

    run(body)
    assert run.server.log.count("Accepted publickey") >= 1
    assert sum(isinstance(event, Connected) for event in run.events) == 1


def _ended(process_id: int) -> bool:
    return not alive(process_id)


def test_a_shell_waits_for_the_next_script(run: Run) -> None:
    """The shell of a script runs the next one; one that the host has ended meanwhile is replaced without a word."""

    async def body(session: SshSession) -> None:
        numbers = command("echo", Syntax("$$ $PPID"))
        shell, parent = (await session.run(numbers)).captured.split()
        for _ in range(3):
            assert (await session.run(numbers)).captured == f"{shell} {parent}"
            waiting = [line.split()[0] for line in children(parent) if line.endswith(" sh -s")]
            assert waiting == [shell]
            os.kill(int(shell), 9)
            await until(partial(_ended, int(shell)))
            shell, parent = (await session.run(numbers)).captured.split()
            assert shell not in waiting

    run(body)


def test_a_host_with_a_single_session(tmp_path: Path) -> None:
    """Scripts wait for each other if sshd allows one session at a time (MaxSessions 1)."""
    own = start_sshd(tmp_path / "sshd", settings=["MaxSessions 1"])
    run = Run(own, tmp_path)

    async def body(session: SshSession) -> None:
        for number in range(3):
            assert (await session.run(command("echo", str(number)))).captured == str(number)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(session.run(shell_line(f"sleep 0.1; echo {number}"))) for number in range(4)]
        assert [task.result().captured for task in tasks] == ["0", "1", "2", "3"]

    try:
        run(body)
    finally:
        own.stop()


def test_a_host_that_runs_no_commands(tmp_path: Path) -> None:
    """A ForceCommand that runs nothing of ours is named with what it said; no command of ours is blamed."""
    own = start_sshd(tmp_path / "sshd", settings=["ForceCommand echo go away; exit 9"])
    run = Run(own, tmp_path)

    async def body(session: SshSession) -> None:
        with pytest.raises(UnexpectedAnswer) as caught:
            await session.run(command("true"))
        assert [*caught.value.details] == ["it ended with exit status 9", "it said: go away"]
        assert "ForceCommand" in str(caught.value.hint)

    try:
        run(body)
    finally:
        own.stop()


def test_a_syntax_error_is_a_failed_step(run: Run) -> None:
    """A line that no shell can read fails with the shell's message, and nothing of the script ran."""

    async def body(session: SshSession) -> None:
        with pytest.raises(CommandFailed) as caught:
            await session.run(shell_line('echo "open'))
        assert "quot" in caught.value.stderr.lower()

    run(body)


def test_a_port_of_the_host_leads_to_this_machine(run: Run) -> None:
    """The host reaches a listener of this machine while the forward is open, and no longer (spec/cli.md 15.6)."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nfrom here")
        await writer.drain()
        writer.close()

    async def body(session: SshSession) -> None:
        listener = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        async with session.forward_remote_port(0, port) as remote:
            fetched = await asyncio.open_connection("127.0.0.1", remote)
            assert b"from here" in await fetched[0].read()
            fetched[1].close()
            with pytest.raises(ConnectionFailed, match=f"port {remote}"):
                async with session.forward_remote_port(remote, port):
                    pass
        # A shell that sshd has just forked may hold the listening socket for a moment longer.
        await until(lambda: not accepts(remote))
        listener.close()
        await listener.wait_closed()

    run(body)
