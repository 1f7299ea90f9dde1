"""This machine, as a place that runs commands."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from pykamal.commands.command import Command, Simple
from pykamal.commands.script import MARK, Script, Step
from pykamal.core.sensitive import Sensitive, encoded, reveal
from pykamal.events import Bus, Stream
from pykamal.transport.process import run_process
from pykamal.transport.reporting import StepReporter, Succeeded
from pykamal.transport.script_output import ScriptOutput
from pykamal.transport.session import StepResult

NAME: Final = "localhost"

Environment = Mapping[str, str | Sensitive]

_NOT_STARTED: Final = {errno.ENOENT: 127, errno.EACCES: 126}  # exit statuses as POSIX shells give them
_SHELL: Final = "sh"
_TERMINATED: Final = 128 + signal.SIGTERM


class LocalSession:
    """Runs commands as processes of this machine; a `Session`.

    `environment` and `directory` hold for every command and are added to, or replaced by, those of a call.
    """

    def __init__(self, bus: Bus, *, environment: Environment | None = None, directory: str | None = None) -> None:
        self._bus = bus
        self._environment = dict(environment or {})
        self._directory = directory
        self._exchanges = 0

    @property
    def host(self) -> str:
        return NAME

    @property
    def exchanges(self) -> int:
        return self._exchanges

    async def run(
        self,
        command: Command,
        *,
        name: str = "",
        check: bool = True,
        environment: Environment | None = None,
        directory: str | None = None,
        shown: bool = False,
        inherit_stdin: bool = False,
    ) -> StepResult:
        """Run one command to its end.

        A plain program is started without a shell between. `environment` is added to this process's own. With
        `shown` its output is for the user to see as it comes, whatever the verbosity; with `inherit_stdin` it can ask
        the user. A program that cannot be started has exit status 127 (not found) or 126. Raises `CommandFailed`.
        """
        call = _Call(self, Script((Step(name, command),)), environment, directory, shown)
        arguments = command.arguments()
        if arguments is not None:
            result = await call.program(arguments, inherit_stdin=inherit_stdin)
        elif inherit_stdin:
            result = await call.line()
        else:
            result = (await call.shell())[0]
        if check and not result.ok and not command.may_fail:
            raise result.failure(None)
        return result

    async def run_script(
        self,
        script: Script,
        *,
        check: bool = True,
        environment: Environment | None = None,
        directory: str | None = None,
        succeeded: Succeeded | None = None,
    ) -> list[StepResult]:
        """Run the steps in one shell, see `Session.run_script`."""
        if not script.steps:
            return []
        results = await _Call(self, script, environment, directory, shown=False).shell(succeeded)
        if check and not results[-1].ok and not results[-1].step.command.may_fail:
            raise results[-1].failure(None)
        return results


class _Call:
    """One exchange with this machine."""

    def __init__(
        self,
        session: LocalSession,
        script: Script,
        environment: Environment | None,
        directory: str | None,
        shown: bool,
    ) -> None:
        session._exchanges += 1
        self._script = script
        self._directory = directory or session._directory
        added = {**session._environment, **(environment or {})}
        self._environment = {**os.environ, **{key: reveal(value) for key, value in added.items()}}
        self._reporter = StepReporter(
            session._bus, script, host=None, user=None, exchange=session._exchanges, shown=shown
        )
        self._nonce = secrets.token_hex(8)
        self._output = ScriptOutput(script, self._nonce, self._reporter)

    async def program(
        self, arguments: list[str], *, inherit_stdin: bool, pass_descriptors: tuple[int, ...] = ()
    ) -> StepResult:
        """The only step, as one process; `ScriptOutput` hears the markers that a shell would write around it."""
        node = self._script.steps[0].command.node
        fed = node.stdin if isinstance(node, Simple) and not pass_descriptors else None
        stdin = None if fed is None else encoded(reveal(fed))
        self._mark("begin 0")
        try:
            status = await self._status(
                arguments, stdin, inherit_stdin=inherit_stdin and stdin is None, pass_descriptors=pass_descriptors
            )
        except BaseException:
            self._reporter.broken_off(_TERMINATED)
            raise
        self._mark(f"end 0 {status}")
        return self._output.results[0]

    async def line(self) -> StepResult:
        """The only step, through a shell that has its text from a pipe, so that the terminal stays on its input."""
        reading, writing = os.pipe()
        text = encoded(self._script.steps[0].command.shell_text())
        filling = asyncio.get_running_loop().run_in_executor(None, _fill, writing, text)
        try:
            return await self.program([_SHELL, f"/dev/fd/{reading}"], inherit_stdin=True, pass_descriptors=(reading,))
        finally:
            os.close(reading)
            await filling

    async def shell(self, succeeded: Succeeded | None = None) -> list[StepResult]:
        """All steps, through a shell that has their text from its input."""
        self._reporter.succeeded = succeeded
        text = encoded(self._script.wire(self._nonce))
        try:
            status = await run_process(
                [_SHELL, "-s"],
                self._output.feed,
                stdin=text,
                environment=self._environment,
                directory=self._directory,
            )
        except BaseException:
            self._reporter.broken_off(_TERMINATED)
            raise
        self._output.finish()
        if not self._output.complete:
            result = self._output.cut_off(status)
            if not self._output.complete:  # the step may fail, but those after it never ran
                raise result.failure(None)
        return self._output.results

    async def _status(
        self, arguments: list[str], stdin: bytes | None, *, inherit_stdin: bool, pass_descriptors: tuple[int, ...]
    ) -> int:
        try:
            return await run_process(
                arguments,
                self._output.feed,
                stdin=stdin,
                inherit_stdin=inherit_stdin,
                environment=self._environment,
                directory=self._directory,
                pass_descriptors=pass_descriptors,
            )
        except OSError as error:
            if error.errno == errno.ENOEXEC:  # a script without a first line that names its interpreter
                return await self._status(
                    [_SHELL, *arguments], stdin, inherit_stdin=inherit_stdin, pass_descriptors=pass_descriptors
                )
            if error.errno not in _NOT_STARTED:
                raise
            self._output.feed(Stream.STDERR, encoded(f"{error.filename}: {error.strerror}\n"))
            return _NOT_STARTED[error.errno]

    def _mark(self, words: str) -> None:
        for stream in Stream:
            self._output.feed(stream, f"{MARK}{self._nonce} {words}\n".encode())


def _fill(descriptor: int, text: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe, suppress(BrokenPipeError):
        pipe.write(text)
