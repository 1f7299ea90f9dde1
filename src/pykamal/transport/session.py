"""The interface of a session that runs commands, on a server over SSH or on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Protocol

from pykamal.commands.command import Command
from pykamal.commands.script import Script, Step
from pykamal.core.errors import CommandFailed


@dataclass(frozen=True, slots=True)
class StepResult:
    """The end of one step of a script. `stdout` and `stderr` have replacements for what is not UTF-8.

    They are complete unless the command changes something and was very talkative: then their middle is left out.
    `whole` is standard output to the last byte, where that was asked for.
    """

    step: Step
    exit_status: int
    stdout: str
    stderr: str
    seconds: float
    whole: IO[bytes] | None = None

    @property
    def ok(self) -> bool:
        return self.exit_status == 0

    @property
    def captured(self) -> str:
        """Standard output without the white space around it."""
        return self.stdout.strip()

    def failure(self, host: str | None) -> CommandFailed:
        return CommandFailed(
            self.step.command.display_text(),
            exit_status=self.exit_status,
            stdout=self.stdout,
            stderr=self.stderr,
            host=host,
            step=self.step.name,
            program=self.step.command.program,
        )


class Session(Protocol):
    """An open connection to one host, or this machine.

    All methods raise members of `pykamal.core.errors.ConnectionFailed` when the host goes away. Cancelling a call ends
    what it started on the host: its whole process group is sent SIGTERM.
    """

    @property
    def host(self) -> str:
        """The host as written in deploy.yml; `localhost` for this machine."""
        ...

    async def run_script(self, script: Script, *, check: bool = True) -> list[StepResult]:
        """Run the steps in one exchange; results of the steps that ran, in order.

        Raises `CommandFailed` for the step that failed and may not fail, unless `check` is false: then the list simply
        ends with it. Raises `UnexpectedAnswer` for a command that only reads and answers with too much.
        """
        ...

    async def run(self, command: Command, *, name: str = "", check: bool = True) -> StepResult:
        """Run one command; the same as a script of one step."""
        ...
