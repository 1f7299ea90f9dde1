"""An open SSH connection to one host."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncssh

from pykamal.commands.command import Command
from pykamal.commands.processes import end_group, shell
from pykamal.commands.script import Script, Step, script
from pykamal.core.errors import ConnectionFailed, UnexpectedAnswer
from pykamal.core.host_strings import parse_host
from pykamal.events import Bus, Stream
from pykamal.transport.channel import CommandChannel, Sent
from pykamal.transport.channels import Channels
from pykamal.transport.exchanges import Feeding, ScriptExchange
from pykamal.transport.reporting import StepReporter, Succeeded
from pykamal.transport.script_output import ScriptOutput
from pykamal.transport.session import StepResult

CANCEL_SECONDS: Final = 5.0
"""How long a cancelled script may take to end on SIGTERM before it gets SIGKILL."""

CLEAN_UP_SECONDS: Final = 10.0
"""How long all of the clean-up after a cancel may take."""

NO_STATUS: Final = 255
"""Exit status of a step whose shell went away without telling one, as `ssh` itself reports it."""


_SHOWN_LINES: Final = 5
"""How much is shown of what a login shell said instead of running a script."""


class SshSession:
    """A `pykamal.transport.session.Session` over one connection; each call has a channel of its own on it."""

    def __init__(self, connection: asyncssh.SSHClientConnection, *, host: str, user: str, bus: Bus) -> None:
        self._connection = connection
        self._host = host
        self._user = user
        self._shown_user = None if "@" in host else user
        self._bus = bus
        self._channels = Channels(connection, host)
        self._channels.start_shell()
        self._exchanges = 0

    @property
    def host(self) -> str:
        """The host as written in deploy.yml."""
        return self._host

    @property
    def user(self) -> str:
        return self._user

    @property
    def exchanges(self) -> int:
        """The number of exchanges so far: one for each script and each command that was fed."""
        return self._exchanges

    @property
    def closed(self) -> bool:
        """True once the connection is gone, by our doing or not."""
        return self._connection.is_closed()

    async def run_script(
        self, script: Script, *, check: bool = True, whole: bool = False, succeeded: Succeeded | None = None
    ) -> list[StepResult]:
        """Run the steps in one exchange, see `Session.run_script`. With `whole` the results have all of the output.

        `succeeded` is told the index of each step that did, before the next one begins.
        Raises `HostUnreachable` when the connection is lost on the way, and `CommandFailed` for a failing step.
        """
        if not script.steps:
            return []
        self._exchanges += 1
        reporter = StepReporter(self._bus, script, host=self._host, user=self._shown_user, exchange=self._exchanges)
        reporter.succeeded = succeeded
        async with self._channels.free:
            results = await self._exchange(script, reporter, whole=whole)
        if check and not results[-1].ok and not results[-1].step.command.may_fail:
            raise results[-1].failure(self._host)
        return results

    async def run(self, command: Command, *, name: str = "", check: bool = True) -> StepResult:
        """Run one command; the same as a script of one step."""
        return (await self.run_script(Script((Step(name, command),)), check=check))[0]

    async def feed(self, step: Step, content: bytes | memoryview, *, sent: Sent | None = None) -> StepResult:
        """Run one command that reads `content`, a mapped file for instance, on its standard input.

        `sent` is told how many bytes have left so far, again and again. The command must hold no secret: other users
        of the host can read it in their process list. Raises `HostUnreachable`.
        """
        self._exchanges += 1
        fed = script(step)
        reporter = StepReporter(self._bus, fed, host=self._host, user=self._shown_user, exchange=self._exchanges)
        started = time.monotonic()
        reporter.began(0)
        feeding = Feeding(step.command, content, sent)
        try:
            async with self._channels.free:
                end = await feeding.run(self._channels)
        except BaseException:
            reporter.broken_off(NO_STATUS)
            raise
        if end.lost:
            reporter.broken_off(NO_STATUS)
            raise self._channels.lost(f"running {_title(step)}")
        result = StepResult(
            step=step,
            exit_status=NO_STATUS if end.exit_status is None else end.exit_status,
            stdout=feeding.printed[Stream.STDOUT].text(),
            stderr=feeding.printed[Stream.STDERR].text(),
            seconds=time.monotonic() - started,
        )
        reporter.ended(result)
        return result

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
                hint=f"check that nothing listens on port {port} there and that sshd has AllowTcpForwarding yes",
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

    # -- one script in one channel

    async def _exchange(
        self, script: Script, reporter: StepReporter | None, *, whole: bool = False
    ) -> list[StepResult]:
        channel = self._channels.take_shell()
        if channel is not None:
            exchange = await self._run_in(channel, script, reporter, whole=whole)
            if exchange.began or self.closed:
                return self._results(exchange, reporter)
            # The shell was gone before it read anything: the host may end idle ones.
        channel = self._channels.start(shell())
        return self._results(await self._run_in(channel, script, reporter, whole=whole), reporter)

    async def _run_in(
        self, channel: CommandChannel, script: Script, reporter: StepReporter | None, *, whole: bool
    ) -> ScriptExchange:
        nonce = secrets.token_hex(8)
        output = ScriptOutput(script, nonce, reporter, host=self._host, whole=whole)
        exchange = ScriptExchange(channel, script, nonce, output)
        try:
            await exchange.run()
        except asyncio.CancelledError:
            if not channel.withdraw():
                await self._end_remotely(exchange)
            if reporter:
                reporter.broken_off(128 + signal.SIGTERM)
            raise
        except BaseException:
            channel.close()
            if reporter:
                reporter.broken_off(NO_STATUS)
            raise
        if output.complete and exchange.keeps_shell:
            self._channels.give_back(channel)
        else:
            channel.close()
        return exchange

    def _results(self, exchange: ScriptExchange, reporter: StepReporter | None) -> list[StepResult]:
        """The results; a shell that was gone before its last step makes a failed step, or `HostUnreachable`."""
        output = exchange.output
        if not output.complete:
            output.finish()
        if output.complete:
            return output.results
        if exchange.end.lost:
            if reporter:
                reporter.broken_off(NO_STATUS)
            raise self._channels.lost(f"running {_title(exchange.script.steps[len(output.results)])}")
        if not exchange.began:
            raise self._no_shell(exchange)
        result = output.cut_off(exchange.end.exit_status or NO_STATUS)
        if not output.complete:  # the step may fail, but those after it never ran
            raise result.failure(self._host)
        return output.results

    def _no_shell(self, exchange: ScriptExchange) -> UnexpectedAnswer:
        """Make the error of a login whose shell has not run `sh`: no step is to blame."""
        status = exchange.end.exit_status
        output = exchange.output.output_outside_steps
        return UnexpectedAnswer(
            f"The login shell of {self._user} on {self._host} runs no commands",
            host=self._host,
            details=[
                "it ended without an exit status" if status is None else f"it ended with exit status {status}",
                *(f"it said: {line}" for line in output.splitlines()[:_SHOWN_LINES]),
            ],
            hint=f"see what `ssh {self._user}@{parse_host(self._host).name} exec sh -c true` says: the login shell "
            "must not be a restricted one (`chsh`), its start-up files must neither exit nor read, "
            "and sshd must have no ForceCommand for it",
        )

    # -- cancelling

    async def _end_remotely(self, exchange: ScriptExchange) -> None:
        """End the script's process group on the host. A second cancel does not wait for it."""
        ending = asyncio.ensure_future(self._end_group(exchange))
        ending.add_done_callback(_see_outcome)
        await asyncio.wait((ending,), timeout=CLEAN_UP_SECONDS)

    async def _end_group(self, exchange: ScriptExchange) -> None:
        channel = exchange.channel
        try:
            await asyncio.wait(
                (exchange.began_running, channel.closed),
                timeout=CANCEL_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            process_group = exchange.output.process_group
            if process_group is None:
                return
            for name in ("TERM", "KILL"):
                # By a command, for OpenSSH ignores signal requests of users that it does not drop privileges for.
                await self._exchange(script(Step("", end_group(process_group, signal=name))), None)
                await asyncio.wait((channel.closed,), timeout=CANCEL_SECONDS / 2)
                if channel.closed.done():
                    return
        finally:
            channel.close()


def _title(step: Step) -> str:
    return f"`{step.name}`" if step.name else f"`{step.command.display_text()}`"


def _see_outcome(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()
