"""An open SSH connection to one host."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Final, Self

import asyncssh

from pykamal.commands import files
from pykamal.commands.command import Command
from pykamal.commands.processes import end_group, in_shell, shell
from pykamal.commands.script import Script, Step, script
from pykamal.core.errors import ConnectionFailed, HostUnreachable
from pykamal.events import Bus, Stream
from pykamal.transport.channel import ChannelEnd, CommandChannel
from pykamal.transport.reporting import StepReporter
from pykamal.transport.script_output import ScriptOutput
from pykamal.transport.session import StepResult

MAX_CHANNELS: Final = 8
"""Channels open at once on one connection: OpenSSH allows 10 by default (MaxSessions), and two stay for clean-up."""

CANCEL_SECONDS: Final = 5.0
"""How long a cancelled script may take to end on SIGTERM before it gets SIGKILL."""

CLEAN_UP_SECONDS: Final = 10.0
"""How long all of the clean-up after a cancel may take."""

_OPEN_REFUSED: Final = (1, 2, 4)  # prohibited, connect failed, resource shortage: RFC 4254 section 5.1

NO_STATUS: Final = 255
"""Exit status of a step whose shell went away without telling one, as `ssh` itself reports it."""


class SshSession:
    """A `pykamal.transport.session.Session` over one connection; each call has a channel of its own on it."""

    def __init__(self, connection: asyncssh.SSHClientConnection, *, host: str, user: str, bus: Bus) -> None:
        self._connection = connection
        self._host = host
        self._user = user
        self._bus = bus
        self._channels = asyncio.Semaphore(MAX_CHANNELS)
        self._exchanges = 0
        self._open_channels = 0

    @property
    def host(self) -> str:
        """The host as written in deploy.yml."""
        return self._host

    @property
    def user(self) -> str:
        return self._user

    @property
    def exchanges(self) -> int:
        """Round trips so far: one for each script and each upload."""
        return self._exchanges

    @property
    def closed(self) -> bool:
        """Whether the connection is gone, by our doing or not."""
        return self._connection.is_closed()

    async def run_script(self, script: Script, *, check: bool = True) -> list[StepResult]:
        """Run the steps in one exchange, see `Session.run_script`.

        Raises `HostUnreachable` when the connection is lost on the way, and `CommandFailed` for a failing step.
        """
        if not script.steps:
            return []
        self._exchanges += 1
        reporter = StepReporter(self._bus, script, host=self._host, user=self._user, exchange=self._exchanges)
        async with self._channels:
            output = await self._exchange(script, reporter)
        if check and not output.results[-1].ok and not output.results[-1].step.command.may_fail:
            raise output.results[-1].failure(self._host)
        return output.results

    async def run(self, command: Command, *, name: str = "", check: bool = True) -> StepResult:
        """Run one command; the same as a script of one step."""
        return (await self.run_script(Script((Step(name, command),)), check=check))[0]

    async def upload(self, content: bytes, path: str, *, mode: int = 0o640) -> None:
        """Write a file atomically, see `Session.upload`. Raises `CommandFailed` when the host cannot store it."""
        self._exchanges += 1
        line = files.upload_target(path, f"{mode:04o}", size=len(content))
        upload = script(Step(f"upload {path}", line))
        reporter = StepReporter(self._bus, upload, host=self._host, user=self._user, exchange=self._exchanges)
        printed: dict[Stream, bytearray] = {stream: bytearray() for stream in Stream}
        channel = CommandChannel(content, lambda stream, data: printed[stream].extend(data))
        started = asyncio.get_running_loop().time()
        reporter.began(0)
        try:
            async with self._channels:
                end = await self._run_channel(channel, in_shell(line))
        except BaseException:
            reporter.broken_off(NO_STATUS)
            raise
        if end.lost:
            reporter.broken_off(NO_STATUS)
            raise self._lost(f"uploading {path}")
        result = StepResult(
            step=upload.steps[0],
            exit_status=NO_STATUS if end.exit_status is None else end.exit_status,
            stdout=printed[Stream.STDOUT].decode("utf-8", "replace"),
            stderr=printed[Stream.STDERR].decode("utf-8", "replace"),
            seconds=asyncio.get_running_loop().time() - started,
        )
        reporter.ended(result)
        if not result.ok:
            raise result.failure(self._host)

    @asynccontextmanager
    async def forward_remote_port(self, port: int, local_port: int) -> AsyncIterator[int]:
        """Let the host reach `localhost:LOCAL_PORT` of this machine as `127.0.0.1:PORT`; gives the host's port.

        `port` 0 lets the host choose. Raises `ConnectionFailed` when the host does not allow it or the port is taken.
        """
        try:
            listener = await self._connection.forward_remote_port("127.0.0.1", port, "localhost", local_port)
        except asyncssh.ChannelListenError as error:
            raise ConnectionFailed(
                f"Could not forward port {port} of {self._host} to this machine: {error}",
                host=self._host,
                hint=f"see that nothing listens on port {port} there and that sshd has AllowTcpForwarding yes",
            ) from error
        try:
            yield listener.get_port()
        finally:
            listener.close()
            await listener.wait_closed()

    async def close(self) -> None:
        """End the connection at once; what still runs on it is lost."""
        self._connection.close()
        try:
            async with asyncio.timeout(1.0):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # -- one script in one channel

    async def _exchange(self, script: Script, reporter: StepReporter | None) -> ScriptOutput:
        nonce = secrets.token_hex(8)
        output = ScriptOutput(script, nonce, reporter)
        shell_runs = asyncio.Event()

        def received(stream: Stream, data: bytes) -> None:
            output.feed(stream, data)
            if output.process_group is not None:
                shell_runs.set()
            if output.complete:
                channel.stop_waiting()

        channel = CommandChannel(script.wire(nonce).encode(), received)
        try:
            end = await self._run_channel(channel, shell())
        except asyncio.CancelledError:
            if not channel.withdraw():
                await self._end_remotely(channel, shell_runs, output)
            if reporter:
                reporter.broken_off(128 + signal.SIGTERM)
            raise
        except BaseException:
            if reporter:
                reporter.broken_off(NO_STATUS)
            raise
        if not output.complete:
            output.finish()
        if not output.complete:
            self._settle_early_end(script, output, end, reporter)
        return output

    async def _run_channel(self, channel: CommandChannel, line: Command) -> ChannelEnd:
        """Open, wait for the end, close. A cancelled wait leaves the channel open for whoever cleans up."""
        self._open_channels += 1
        channel.closed.add_done_callback(self._count_closed)
        opening = asyncio.ensure_future(self._open(channel, line))
        opening.add_done_callback(lambda done: channel.close() if _failed(done) else None)
        try:
            await asyncio.wait((opening, channel.ended), return_when=asyncio.FIRST_COMPLETED)
            if _failed(opening):
                opening.result()
            end = await asyncio.shield(channel.ended)
        except asyncio.CancelledError:
            raise
        except BaseException:
            channel.close()
            raise
        channel.close()
        return end

    async def _open(self, channel: CommandChannel, line: Command) -> None:
        """Open a channel and have the command started in it.

        A host that has enough channels open (MaxSessions) is asked again: sshd counts one for a moment longer than we.
        """
        delay = 0.02
        while True:
            try:
                await self._connection.create_session(
                    lambda: channel, line.wire(), encoding=None, request_pty=False, x11_forwarding=False
                )
            except asyncssh.ChannelOpenError as error:
                if self.closed:
                    raise self._lost("opening a channel") from error
                if error.code not in _OPEN_REFUSED or (delay > 1 and self._open_channels <= 1):
                    raise ConnectionFailed(
                        f"{self._host} refused to run a command: {error.reason}",
                        host=self._host,
                        hint="see MaxSessions, ForceCommand and the login shell of this user on the host",
                    ) from error
            except (asyncssh.Error, OSError) as error:
                raise self._lost("opening a channel") from error
            else:
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, 1.28)

    def _settle_early_end(
        self, script: Script, output: ScriptOutput, end: ChannelEnd, reporter: StepReporter | None
    ) -> None:
        """The shell is gone before its last step: make that a failure of the step, or raise `HostUnreachable`."""
        step = script.steps[len(output.results)]
        if end.lost:
            if reporter:
                reporter.broken_off(NO_STATUS)
            raise self._lost(f"running {_title(step)}")
        result = output.cut_off(end.exit_status or NO_STATUS)
        if not output.complete:  # the step may fail, but those after it never ran
            raise result.failure(self._host)

    def _lost(self, doing: str) -> HostUnreachable:
        return HostUnreachable(
            f"Connection to {self._host} lost while {doing}",
            host=self._host,
            hint="see whether the host is up and reachable; what was running there may have gone on or been cut off",
        )

    def _count_closed(self, _closed: object) -> None:
        self._open_channels -= 1

    # -- cancelling

    async def _end_remotely(self, channel: CommandChannel, shell_runs: asyncio.Event, output: ScriptOutput) -> None:
        """End the script's process group on the host. A second cancel does not wait for it."""
        ending = asyncio.ensure_future(self._end_group(channel, shell_runs, output))
        ending.add_done_callback(_failed)
        await asyncio.wait((ending,), timeout=CLEAN_UP_SECONDS)

    async def _end_group(self, channel: CommandChannel, shell_runs: asyncio.Event, output: ScriptOutput) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(CANCEL_SECONDS):
                    await shell_runs.wait()
            if output.process_group is None:
                return
            for name in ("TERM", "KILL"):
                # By a command, for OpenSSH ignores signal requests of users that it does not drop privileges for.
                await self._exchange(script(Step("", end_group(output.process_group, signal=name))), None)
                await asyncio.wait((channel.closed,), timeout=CANCEL_SECONDS / 2)
                if channel.closed.done():
                    return
        finally:
            channel.close()


def _title(step: Step) -> str:
    return f"`{step.name}`" if step.name else f"`{step.command}`"


def _failed(done: asyncio.Future[Any]) -> bool:
    """Whether something that is done has failed; the error counts as seen."""
    return done.done() and not done.cancelled() and done.exception() is not None
