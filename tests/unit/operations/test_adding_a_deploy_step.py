"""A deploy step is one function among the steps of a release (CONTRIBUTING.md, "Where things go")."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from pykamal.commands.command import shell_line
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_app
from pykamal.core.errors import CommandFailed
from pykamal.events import Bus, CommandStarted, Event, Message
from pykamal.operations import deploy
from pykamal.operations.context import Context
from pykamal.operations.execution import hints
from pykamal.operations.execution.executor import ActingExecutor
from pykamal.operations.execution.hint_rules import RULES, Rule
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.execution.printing import as_text
from pykamal.operations.execution.recording import RecordingExecutor
from pykamal.operations.hosts.facts import HostFacts
from pykamal.transport.local import LocalSession
from tests.unit.memory_fleet import MemoryFleet
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit

HOSTS = ("10.0.0.1", "10.0.0.2")
COLD = Rule(r"cache is cold", "warm the cache: see {place}", frozenset({Action.CHECK_IMAGE}))


def warming(run: Context, _: Mapping[str, HostFacts]) -> Iterator[Phase]:
    """An invented step: on every app host the cache is warmed, which fails."""
    line = shell_line("echo the cache is cold >&2; exit 3")
    warm = script(Step("warm cache", line, of_app(Action.CHECK_IMAGE)))
    yield Phase("warm", tuple(Task(host, "warm cache", warm) for host in run.selection.app_hosts), ("Warm cache...",))


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step behind the start of the containers, and a hint for its failure."""
    stale, boot, closing = deploy.RELEASE
    monkeypatch.setattr(deploy, "RELEASE", (stale, boot, warming, closing))
    monkeypatch.setattr(hints, "RULES", (COLD, *RULES))


def made(executor: ActingExecutor | RecordingExecutor, bus: Bus) -> tuple[Context, MemoryFleet]:
    fleet = MemoryFleet({host: HostFacts(host, ()) for host in HOSTS})
    run = context(config(role("web", *HOSTS), hooks_path="none"), version="v2")
    return replace(run, executor=executor, bus=bus, fleet=fleet, local=fleet.local), fleet  # type: ignore[arg-type]


@pytest.mark.parametrize("flow", [deploy.deploy, deploy.redeploy])
def test_it_is_planned(flow: object) -> None:
    """In its place among the others, with its shell line, and on no host."""
    executor = RecordingExecutor()
    run, fleet = made(executor, Bus())
    asyncio.run(flow(run, skip_push=True))  # type: ignore[operator]
    plan = executor.plan("deploy")
    names = [phase.name for phase in plan]
    assert names[-3:] == ["boot", "warm", "tag and prune"]
    assert "warm cache" in as_text(plan)
    assert "warm cache" not in [step.name for _, step in fleet.done]


def test_it_is_done_and_announced() -> None:
    """The run takes the same step at the same place, and people read of it."""
    told: list[Event] = []
    run, fleet = made(ActingExecutor(), Bus(told.append))
    asyncio.run(deploy.deploy(run, skip_push=True))
    done = [step.name for _, step in fleet.done]
    assert done.index("start web") < done.index("warm cache") < done.index("tag image")
    texts = [event.text for event in told if isinstance(event, Message)]
    assert texts.index("Warm cache...") < texts.index(deploy.PRUNING)


@pytest.mark.process
def test_its_failure_has_a_hint_and_its_events() -> None:
    """The executor reports the step, ends the run at it, and finds the rule by the step's action and output."""

    class Shells(MemoryFleet):
        async def session(self, host: str) -> LocalSession:  # type: ignore[override]
            return LocalSession(bus)

    told: list[Event] = []
    bus = Bus(told.append)
    run = replace(made(ActingExecutor(), bus)[0], fleet=Shells({}))  # type: ignore[arg-type]
    with pytest.raises(CommandFailed, match="exit status: 3") as failure:
        asyncio.run(run.execute(Plan("deploy", tuple(warming(run.on(HOSTS[:1]), {})))))
    assert failure.value.hint == "warm the cache: see there"
    assert [event.step for event in told if isinstance(event, CommandStarted)] == ["warm cache"]
