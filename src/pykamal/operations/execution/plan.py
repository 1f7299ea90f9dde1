"""Plans as data: phases of tasks. An executor carries them out or records them for `--plan`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pykamal.commands.script import Script
from pykamal.core.sensitive import Sensitive

LOCAL: Final = "localhost"
"""The host name of tasks on this machine."""


@dataclass(frozen=True, slots=True)
class Barrier:
    """Holds other roles back until the first container is healthy (spec/cli.md 13.5.1)."""

    name: str


@dataclass(frozen=True, slots=True)
class Task:
    """Steps that one host takes together.

    `undo` takes back what the task did when it fails or is interrupted; `evidence` reads what explains a failure.
    `opens` is opened when the task is done and closed when it fails; `waits_for` holds the task until then. Tasks of
    one lane run one after another; a `branch` is a lane of its own on the host, beside the others.

    `phase` names the phase that the task is of, where several share one.

    `input` names a file of this machine that the only step of a host's task reads on its standard input.

    On this machine, `environment` is added to the operator's, `hook` names the hook that the task runs, and `shown`
    passes output on to people as it comes.
    """

    host: str
    title: str
    script: Script
    role: str | None = None
    undo: Script | None = None
    evidence: Script | None = None
    opens: Barrier | None = None
    waits_for: Barrier | None = None
    branch: str | None = None
    phase: str | None = None
    input: str | None = None
    hook: str | None = None
    environment: Mapping[str, str | Sensitive] = field(default_factory=dict)
    directory: str | None = None
    shown: bool = False

    @property
    def lane(self) -> tuple[str, str | None]:
        return (self.host, self.branch)


@dataclass(frozen=True, slots=True)
class Phase:
    """Tasks that may run at the same time on different hosts; the next phase starts when all are done.

    `announcements` are told to people when the phase starts; `pause` is waited for after it, in seconds.
    """

    name: str
    tasks: tuple[Task, ...]
    announcements: tuple[str, ...] = ()
    pause: float = 0

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(task.host for task in self.tasks))

    def lanes(self) -> list[list[Task]]:
        """The tasks by lane, in order."""
        lanes: dict[tuple[str, str | None], list[Task]] = {}
        for task in self.tasks:
            lanes.setdefault(task.lane, []).append(task)
        return list(lanes.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation's phases, in order."""

    operation: str
    phases: tuple[Phase, ...]

    def __iter__(self) -> Iterator[Phase]:
        return iter(self.phases)

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.operation, (*self.phases, *other.phases))

    def merged(self, name: str) -> Plan:
        """All phases as one, whose tasks need not wait for each other."""
        return replace(self, phases=(Phase(name, tuple(task for phase in self.phases for task in phase.tasks)),))

    def coalesced(self) -> Plan:
        """The same plan in fewer exchanges: neighbouring phases on the same single host become one.

        With one host there is nobody to wait for between phases, so their barrier is only a round trip. What the later
        ones announce is told when their first step begins.
        """
        phases: list[Phase] = []
        pending: tuple[str, ...] = ()
        for phase in self.phases:
            announcements = (*pending, *phase.announcements)
            pending = ()
            if not any(task.script for task in phase.tasks):
                pending = announcements
            elif phases and _one_exchange(phases[-1], phase):
                phases[-1] = _joined(phases[-1], phase, announcements)
            else:
                phases.append(replace(phase, announcements=announcements))
        if pending:
            phases.append(Phase("nothing to do", (), pending))
        return replace(self, phases=tuple(phases))


def _joined(before: Phase, after: Phase, announcements: tuple[str, ...]) -> Phase:
    """Two phases as one, whose tasks still know theirs."""
    announcing, *others = after.tasks
    if announcements:
        announcing = replace(announcing, script=announcing.script.announced(announcements))
    return replace(
        before,
        name=f"{before.name}, {after.name}",
        tasks=(*_named(before.tasks, before.name), *_named((announcing, *others), after.name)),
        pause=after.pause,
    )


def _named(tasks: Iterable[Task], phase: str) -> Iterator[Task]:
    return (task if task.phase is not None else replace(task, phase=phase) for task in tasks)


def _one_exchange(before: Phase, after: Phase) -> bool:
    if before.pause or not before.tasks or not after.tasks:
        return False
    hosts = {*before.hosts, *after.hosts}
    branched = any(task.branch is not None for task in (*before.tasks, *after.tasks))
    return len(hosts) == 1 and LOCAL not in hosts and not branched


def batches(lane: Sequence[Task], awaited: frozenset[Barrier]) -> list[list[Task]]:
    """Tasks of a lane in groups that can share an exchange.

    A task that opens a barrier somebody waits for ends its group, so that the others start at once; a task that waits
    begins a new one; tasks with an input and those on this machine, which keep their own environment, go alone.
    """
    groups: list[list[Task]] = []
    for task in lane:
        before = groups[-1][-1] if groups else None
        if before is None or _goes_alone(task) or _goes_alone(before) or task.waits_for or before.opens in awaited:
            groups.append([task])
        else:
            groups[-1].append(task)
    return groups


def _goes_alone(task: Task) -> bool:
    return task.host == LOCAL or task.input is not None
