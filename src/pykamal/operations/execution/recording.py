"""Records the steps of flows instead of carrying them out, for `--plan` and for tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from pykamal.commands.script import Step
from pykamal.events import Bus, Event, Level, Log, Message, Tone
from pykamal.operations.context import Context, Entered
from pykamal.operations.execution.plan import Phase, Plan
from pykamal.transport.session import StepResult


class RecordingExecutor:
    """Keeps the phases that flows hand to it, in order (see `Executor`). Every step is taken to succeed."""

    def __init__(self) -> None:
        self._phases: list[Phase] = []

    def plan(self, operation: str) -> Plan:
        """Everything recorded so far."""
        return Plan(operation, tuple(self._phases))

    def flow_bus(self, bus: Bus) -> Bus:
        """The bus without reports of progress, as nothing is under way; warnings stay."""
        return bus.without(_is_progress)

    async def execute(self, plan: Plan, _: Context) -> None:
        self._phases += plan.phases

    async def exchange(self, phase: Phase, _: Context) -> Mapping[str, Sequence[StepResult]]:
        self._phases.append(phase)
        return {task.host: [StepResult(step, 0, "", "", 0.0) for step in task.script] for task in phase.tasks}

    async def run_all(self, *calls: Coroutine[object, object, None]) -> None:
        """One after another, so that a plan always has the same order."""
        try:
            for call in calls:
                await call
        finally:
            for call in calls:
                call.close()

    def around(
        self, _: AbstractAsyncContextManager[Entered], otherwise: Entered
    ) -> AbstractAsyncContextManager[Entered]:
        return nullcontext(otherwise)

    async def beside(self, _: Callable[[], Awaitable[None]]) -> None:
        """Leave it out."""

    def pending(self, host: str) -> Sequence[Step]:
        return [step for phase in self._phases for task in phase.tasks if task.host == host for step in task.script]


def _is_progress(event: Event) -> bool:
    match event:
        case Message(tone=tone):
            return tone is Tone.PROGRESS
        case Log(level=level):
            return level < Level.WARN
        case _:
            return False
