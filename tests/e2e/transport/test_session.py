"""Sessions against a real sshd on 127.0.0.1 (spec/cli.md 6, 7)."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from pykamal.commands.command import command, shell_line
from pykamal.commands.script import Step, script
from pykamal.config.models import Extension, Ssh
from pykamal.core.errors import CommandFailed, ConnectionFailed, HostUnreachable
from pykamal.events import Bus, CommandFinished, CommandOutput, CommandStarted, Connected, Event
from pykamal.transport.fleet import Fleet
from pykamal.transport.ssh import SshSession
from tests.e2e.sshd import Sshd, start_sshd

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory for the sessions whose bash start-up file is noisy."""
    directory = tmp_path_factory.mktemp("home")
    (directory / ".bashrc").write_text("echo 'Welcome to this server!'; echo 'You have mail.' >&2\n")
    return directory


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Sshd]:
    running = start_sshd(tmp_path_factory.mktemp("sshd"), home=home)
    yield running
    running.stop()


class Run:
    """A fleet of the test's own with what it reported."""

    def __init__(self, server: Sshd, directory: Path) -> None:
        self.events: list[Event] = []
        self.server = server
        self._ssh = Ssh(user=server.user, keys=(str(server.key),), keys_only=True, config=False)
        self._extension = Extension(known_hosts=str(directory / "known_hosts"))

    def fleet(self) -> Fleet:
        return Fleet(self._ssh, Bus(self.events.append), extension=self._extension)

    def __call__(self, call: Callable[[SshSession], Awaitable[None]]) -> None:
        """Run an async test body with an open session."""

        async def body() -> None:
            async with asyncio.timeout(60), self.fleet() as fleet:
                await call(await fleet.session(self.server.host))

        asyncio.run(body())


@pytest.fixture
def run(server: Sshd, tmp_path: Path) -> Run:
    return Run(server, tmp_path)


def alive(process_id: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


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


def until_gone(process_id: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(process_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(process_id)


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


def test_the_next_shell_waits_ahead(run: Run) -> None:
    """A shell stands by for the next script; one that the host has ended meanwhile is replaced without a word."""

    async def body(session: SshSession) -> None:
        first = await session.run(shell_line("echo $$ $PPID"))
        for _ in range(3):
            _, parent = first.captured.split()
            await asyncio.sleep(0.5)
            waiting = [int(line.split()[0]) for line in children(parent) if line.endswith(" sh -s")]
            assert len(waiting) == 1
            os.kill(waiting[0], 9)
            first = await session.run(shell_line("echo $$ $PPID"))
            assert int(first.captured.split()[0]) != waiting[0]

    run(body)


def test_a_host_with_a_single_session(tmp_path: Path) -> None:
    """Where sshd allows one session at a time (MaxSessions 1), scripts wait for each other."""
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
    """A ForceCommand that runs nothing of ours is a failed command with what it said."""
    own = start_sshd(tmp_path / "sshd", settings=["ForceCommand echo go away; exit 9"])
    run = Run(own, tmp_path)

    async def body(session: SshSession) -> None:
        with pytest.raises(CommandFailed) as caught:
            await session.run(command("true"))
        assert (caught.value.exit_status, caught.value.stdout) == (9, "go away\n")

    try:
        run(body)
    finally:
        own.stop()


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
    """What does not end on SIGTERM gets SIGKILL, and the cancel takes bounded time."""

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


def test_a_lost_connection_names_the_step(server: Sshd, tmp_path: Path) -> None:
    """A connection that breaks in a script raises HostUnreachable with the running step; the fleet connects anew."""
    own = start_sshd(tmp_path / "sshd")
    run = Run(own, tmp_path)

    async def body() -> None:
        async with asyncio.timeout(60), run.fleet() as fleet:
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


def test_a_syntax_error_is_a_failed_step(run: Run) -> None:
    """A line that no shell can read fails with the shell's message, and nothing of the script ran."""

    async def body(session: SshSession) -> None:
        with pytest.raises(CommandFailed) as caught:
            await session.run(shell_line('echo "open'))
        assert "quot" in caught.value.stderr.lower()

    run(body)


def test_uploads_have_their_mode_and_content(run: Run, tmp_path: Path) -> None:
    """Any bytes arrive as they are, with the mode asked for and nothing left beside (spec/cli.md 6.5)."""
    content = bytes(range(256)) * 4096

    async def body(session: SshSession) -> None:
        await session.upload(content, str(tmp_path / "it's here"), mode=0o604)
        await session.upload(b"", str(tmp_path / "empty"))
        await session.upload(b"new", str(tmp_path / "empty"))
        assert session.exchanges == 3

    run(body)
    target = tmp_path / "it's here"
    assert target.read_bytes() == content
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert (tmp_path / "empty").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "it's here", "known_hosts"]


def test_an_upload_that_fails_leaves_the_old_file(run: Run, tmp_path: Path) -> None:
    """A file is complete under its name or as it was; the parent directory must exist."""

    async def body(session: SshSession) -> None:
        with pytest.raises(CommandFailed) as caught:
            await session.upload(b"x", str(tmp_path / "missing" / "file"))
        assert "missing" in caught.value.stderr

    run(body)


def test_a_cut_off_upload_leaves_the_old_file(server: Sshd, tmp_path: Path) -> None:
    """A connection that breaks in an upload leaves the old content and no temporary file."""
    own = start_sshd(tmp_path / "sshd")
    run = Run(own, tmp_path)
    target = tmp_path / "target" / "file"
    target.parent.mkdir()
    target.write_text("old")

    async def body() -> None:
        async with asyncio.timeout(60), run.fleet() as fleet:
            session = await fleet.session(own.host)
            upload = asyncio.create_task(session.upload(b"z" * 300_000_000, str(target)))
            await until(lambda: len(list(target.parent.iterdir())) == 2)
            own.drop_connections()
            with pytest.raises(HostUnreachable):
                await upload

    try:
        asyncio.run(body())
    finally:
        own.stop()
    deadline = time.monotonic() + 5
    while len(list(target.parent.iterdir())) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    assert target.read_text() == "old"


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
