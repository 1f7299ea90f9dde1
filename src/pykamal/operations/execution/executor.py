"""Carries out plans on hosts and on this machine. Nothing else in the flows changes anything."""

from __future__ import annotations

import asyncio
import mmap
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pykamal.commands.script import Script, Step, script
from pykamal.commands.subject import Action
from pykamal.core.errors import CommandFailed, HealthError, KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, Level, PhaseFinished, PhaseStarted
from pykamal.operations.context import Context, Entered
from pykamal.operations.execution import evidence, fanout
from pykamal.operations.execution.failure_hints import explain, failed_step
from pykamal.operations.execution.fanout import gather_hosts
from pykamal.operations.execution.hints import hint_of
from pykamal.operations.execution.hooks import hook_failure
from pykamal.operations.execution.notices import notices
from pykamal.operations.execution.plan import LOCAL, Phase, Plan, Task, batches
from pykamal.operations.local.local_context import now
from pykamal.transport.session import StepResult

if TYPE_CHECKING:
    from pykamal.transport.ssh_connection import SshSession

UNDO_SECONDS = 20.0
"""How long what was begun may take to be taken back, after a failure or an interrupt, beside the stop of containers."""

_DOCKER_STOP_SECONDS: Final = 10
"""How long Docker waits for a container to stop where no `stop_timeout` says otherwise."""


class ActingExecutor:
    """Carries steps out (see `Executor`)."""

    def flow_bus(self, bus: Bus) -> Bus:
        return bus

    async def execute(self, plan: Plan, context: Context) -> None:
        """Run the phases in order. Raises the failures of a phase once all its hosts are done.

        Nothing starts before every host of the plan is connected to. A failed or interrupted task is undone before the
        error goes on, and what the other hosts have done and what was left out is told.
        """
        phases = plan.coalesced().phases
        hosts = dict.fromkeys(host for phase in phases for host in phase.hosts if host != LOCAL)
        await context.fleet.connect_all(hosts)
        for index, phase in enumerate(phases):
            run = _Run(phase, context)
            try:
                await run.carry_out()
            except (KamalError, asyncio.CancelledError) as error:
                done = [host for host in phase.hosts if host not in run.unfinished]
                unstarted = [*run.unstarted, *(later.name for later in phases[index + 1 :])]
                ended = "failed" if isinstance(error, KamalError) else "interrupted"
                if done or unstarted:
                    context.bus.log(_standing(run, ended, done, unstarted), Level.ERROR)
                raise

    async def exchange(self, phase: Phase, context: Context) -> Mapping[str, Sequence[StepResult]]:
        async def run(task: Task) -> list[StepResult]:
            session = await context.fleet.session(task.host)
            return await session.run_script(task.script, check=False)

        tasks = {task.host: task for task in phase.tasks}
        return await gather_hosts(tasks, lambda host: run(tasks[host]))

    async def run_all(self, *calls: Coroutine[object, object, None]) -> None:
        """Run them at the same time. The first failure cancels the others and is raised."""
        await fanout.run_all(*calls)

    def around(self, scope: AbstractAsyncContextManager[Entered], _: Entered) -> AbstractAsyncContextManager[Entered]:
        return scope

    async def beside(self, call: Callable[[], Awaitable[None]]) -> None:
        await call()

    def pending(self, _: str) -> Sequence[Step]:
        return ()


def _standing(run: _Run, ended: str, done: Sequence[str], unstarted: Sequence[str]) -> str:
    """Format the state of an interrupted phase: `boot: failed on B, done on A; not started: tag and prune`."""
    unfinished = ("this machine" if host == LOCAL else host for host in run.unfinished)
    parts = [f"{ended} on {', '.join(unfinished)}", *([f"done on {', '.join(done)}"] if done else [])]
    left_out = f"; not started: {'; '.join(unstarted)}" if unstarted else ""
    return f"{run.last_phase}: {', '.join(parts)}{left_out}"


@dataclass
class _BarrierState:
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    opened: bool = False

    def settle(self, *, opened: bool) -> bool:
        """Open or close, once; whether this call did it."""
        if self.changed.is_set():
            return False
        self.opened = opened
        self.changed.set()
        return True


class _Run:
    """Runs one phase."""

    def __init__(self, phase: Phase, context: Context) -> None:
        self.phase = phase
        self.context = context
        self.bus = context.bus
        barriers = {barrier for task in phase.tasks for barrier in (task.opens, task.waits_for) if barrier is not None}
        self.barriers = {barrier: _BarrierState() for barrier in barriers}
        self.awaited = frozenset(task.waits_for for task in phase.tasks if task.waits_for is not None)
        self.unfinished = Counter(lane[0].host for lane in phase.lanes())
        self.begun: list[Task] = []
        self.failed_tasks: list[Task] = []

    @property
    def last_phase(self) -> str:
        """The phase of the task that failed, or of the last one that began; several phases may have become this one."""
        tasks = self.failed_tasks or self.begun
        return (tasks[-1].phase if tasks else None) or self.phase.name

    @property
    def unstarted(self) -> Sequence[str]:
        """The phases in this one that come after the last task's."""
        names = list(dict.fromkeys(task.phase for task in self.phase.tasks if task.phase is not None))
        return names[names.index(self.last_phase) + 1 :] if self.last_phase in names else ()

    async def carry_out(self) -> None:
        for announcement in self.phase.announcements:
            self.bus.say(announcement)
        started = time.monotonic()
        self.bus.emit(PhaseStarted(phase=self.phase.name, hosts=self.phase.hosts))
        failed = True
        try:
            lanes = self.phase.lanes()
            await gather_hosts(range(len(lanes)), lambda index: self._lane(lanes[index]))
            failed = False
        finally:
            self.bus.emit(PhaseFinished(phase=self.phase.name, seconds=time.monotonic() - started, failed=failed))
        if self.phase.pause:
            await asyncio.sleep(self.phase.pause)

    async def _lane(self, tasks: Sequence[Task]) -> None:
        remaining = batches(tasks, self.awaited)
        interrupted = False
        try:
            while remaining:
                await self._wait(remaining[0][0])
                await self._batch(remaining[0])
                self._settle(remaining.pop(0), opened=True)
            self.unfinished -= Counter([tasks[0].host])
        except asyncio.CancelledError:
            interrupted = True
            raise
        finally:
            under_way = remaining[0] if remaining else []
            blamed = [task for task in under_way if task in self.failed_tasks] or under_way
            for task in (task for batch in remaining for task in batch):
                self._settle([task], opened=False, logged=not interrupted and task in blamed)

    async def _wait(self, task: Task) -> None:
        if task.waits_for is None:
            return
        state = self.barriers[task.waits_for]
        name = task.waits_for.name
        if not state.changed.is_set():
            waiting = f"Waiting for the first healthy {name} container before booting {task.role} on {task.host}..."
            self.bus.log(waiting, host=task.host)
        await state.changed.wait()
        if not state.opened:
            self.bus.log(
                f"First {name} container is unhealthy, not booting {task.role} on {task.host}",
                Level.ERROR,
                host=task.host,
            )
            raise HealthError("Halted at barrier", host=task.host)
        self.bus.log(f"First {name} container is healthy, booting {task.role} on {task.host}...", host=task.host)

    def _settle(self, tasks: Iterable[Task], *, opened: bool, logged: bool = True) -> None:
        """Open or close what the tasks open; `logged` where that says something of their containers."""
        for task in tasks:
            if task.opens is None or not self.barriers[task.opens].settle(opened=opened):
                continue
            if logged and (opened or task.opens in self.awaited):
                health, booting = ("healthy", "booting") if opened else ("unhealthy", "not booting")
                text = f"First {task.opens.name} container is {health} on {task.host}, {booting} any other roles"
                self.bus.log(text, Level.INFO if opened else Level.ERROR, host=task.host)

    async def _batch(self, tasks: Sequence[Task]) -> None:
        self.begun.append(tasks[0])
        if tasks[0].host == LOCAL:
            await self._on_this_machine(tasks[0])
            return
        host = tasks[0].host
        combined = script(*(task.script.steps for task in tasks))
        try:
            session = await self.context.fleet.session(host)
            if tasks[0].input is None:
                results = await session.run_script(
                    combined, check=False, succeeded=lambda index: self._step_done(tasks, index)
                )
            else:
                results = [await self._feed(session, combined.steps[0], Path(tasks[0].input))]
        except (asyncio.CancelledError, KamalError):
            await self._take_back(tasks)
            raise
        for notice in notices(results, host):
            self.bus.log(notice, Level.WARN, host=host)
        failure = failed_step(results)
        if failure is not None:
            await self._fail(_task_of_step(tasks, len(results) - 1), failure)

    def _step_done(self, tasks: Sequence[Task], index: int) -> None:
        """Open what a task opens once its last step is done, whatever follows in the same exchange."""
        task = _task_of_step(tasks, index)
        last = index + 1 == sum(len(each.script) for each in tasks)
        following = None if last else _task_of_step(tasks, index + 1)
        if following is not task:
            self._settle([task], opened=True)
        if following is not None:
            self.begun.append(following)

    async def _feed(self, session: SshSession, step: Step, path: Path) -> StepResult:
        """Give a step a file as its input, and tell how far it is at each quarter."""
        size = path.stat().st_size
        quarters = 0

        def tell(sent: int) -> None:
            nonlocal quarters
            if sent * 4 // size > quarters:
                quarters = sent * 4 // size
                self.bus.log(f"Sent {sent >> 20} of {size >> 20} MB to {session.host}", host=session.host)

        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as content,
        ):
            return await session.feed(step, content, sent=tell)

    async def _fail(self, task: Task, failure: StepResult) -> None:
        """Explain, take back, raise. An interrupt cuts the explanation short and nothing else."""
        self.failed_tasks.append(task)
        if task.role is not None:
            self.bus.log(f"Failed to boot {task.role} on {task.host}", Level.ERROR, host=task.host)
        try:
            results = await self._aside(task.host, _questions(task, failure))
        finally:
            await self._take_back([task])
        raise explain(failure, task.host, results)

    async def _take_back(self, tasks: Sequence[Task]) -> None:
        """Undo to the end; an interrupt that comes meanwhile is heeded afterwards."""
        undoing = asyncio.ensure_future(self._undo_all(tasks))
        try:
            await asyncio.shield(undoing)
        except asyncio.CancelledError:
            await undoing
            raise

    async def _undo_all(self, tasks: Sequence[Task]) -> None:
        roles = self.context.config.roles
        stop_seconds = max((role.stop_timeout or _DOCKER_STOP_SECONDS for role in roles), default=0)
        for task in tasks:
            await self._aside(task.host, task.undo, seconds=UNDO_SECONDS + stop_seconds)

    async def _aside(self, host: str, steps: Script | None, *, seconds: float = UNDO_SECONDS) -> list[StepResult]:
        """Run what explains or takes back a failure; its own failure must not hide the first."""
        if not steps:
            return []
        try:
            async with asyncio.timeout(seconds):
                session = await self.context.fleet.session(host)
                return await session.run_script(steps, check=False)
        except (KamalError, TimeoutError) as error:
            self.bus.log(f"Could not finish `{steps.steps[0].name}` on {host}: {error}", Level.ERROR, host=host)
            return []

    async def _on_this_machine(self, task: Task) -> None:
        for step in task.script:
            try:
                await self.context.local.run(
                    step.command,
                    name=step.name,
                    environment=_environment(task),
                    directory=task.directory,
                    shown=task.shown,
                )
            except CommandFailed as error:
                if task.hook is None:
                    result = StepResult(step, error.exit_status, error.stdout, error.stderr, 0.0)
                    error.hint = hint_of(result, None)
                    raise
                raise hook_failure(task.hook, step.command.display_text(), error) from error


def _questions(task: Task, failure: StepResult) -> Script:
    """The steps that read evidence of a failure, of the container only where the failed step was about it."""
    subject = failure.step.subject
    about_container = subject is not None and subject.action in _OF_CONTAINERS
    return script(task.evidence or () if about_container else (), evidence.of_failure(failure))


_OF_CONTAINERS: Final = (Action.RUN, Action.START, Action.WAIT, Action.RECHECK, Action.SWITCH)


def _environment(task: Task) -> Mapping[str, str | Sensitive]:
    """A hook is told when it begins (spec/cli.md 9.3), which may be long after it was planned."""
    return task.environment if task.hook is None else {**task.environment, "KAMAL_RECORDED_AT": now()}


def _task_of_step(tasks: Sequence[Task], index: int) -> Task:
    for task in tasks:
        if index < len(task.script):
            return task
        index -= len(task.script)
    raise IndexError(index)
