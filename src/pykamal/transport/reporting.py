"""Tells the bus what the steps of an exchange do."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from pykamal.commands.script import Script, Step
from pykamal.events import Bus, CommandFinished, CommandOutput, CommandStarted, Stream
from pykamal.transport.session import StepResult

Succeeded = Callable[[int], None]


class StepReporter:
    """A `StepListener` that emits the events of one exchange. `host` and `user` are None on this machine.

    `succeeded` is told the index of each step that did, before the next one begins.
    """

    def __init__(
        self, bus: Bus, script: Script, *, host: str | None, user: str | None, exchange: int, shown: bool = False
    ) -> None:
        self.succeeded: Succeeded | None = None
        self._bus = bus
        self._script = script
        self._host = host
        self._user = user
        self._exchange = exchange
        self._shown = shown
        self._index = 0
        self._id = ""
        self._running: Step | None = None
        self._started = 0.0

    def began(self, index: int) -> None:
        step = self._script.steps[index]
        self._id = secrets.token_hex(4)
        self._running = step
        self._index = index
        self._started = time.monotonic()
        for announcement in step.announcements:
            self._bus.say(announcement)
        if step.log is not None:
            self._bus.log(step.log, host=self._host)
        self._bus.emit(
            CommandStarted(
                id=self._id,
                command=step.command.display_text(),
                host=self._host,
                user=self._user,
                quiet=step.command.quiet,
                step=step.name or None,
                exchange=self._exchange,
                shown=self._shown,
                effect=step.command.effect.value,
            )
        )

    def printed(self, stream: Stream, text: str) -> None:
        self._bus.emit(CommandOutput(id=self._id, host=self._host, stream=stream, text=text, shown=self._shown))

    def ended(self, result: StepResult) -> None:
        failed = not result.ok and not result.step.command.may_fail
        self._finish(result.exit_status, failed=failed)
        if self.succeeded is not None and not failed:
            self.succeeded(self._index)

    def broken_off(self, exit_status: int) -> None:
        """The running step was cut off: its host went away or it was cancelled."""
        self._finish(exit_status, failed=True)

    def _finish(self, exit_status: int, *, failed: bool) -> None:
        if self._running is None:
            return
        quiet = self._running.command.quiet
        self._running = None
        self._bus.emit(
            CommandFinished(
                id=self._id,
                host=self._host,
                exit_status=exit_status,
                seconds=time.monotonic() - self._started,
                quiet=quiet,
                failed=failed,
            )
        )
