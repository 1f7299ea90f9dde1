"""The executor that records steps instead of carrying them out."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pykamal.commands.command import command
from pykamal.commands.script import Step, script
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, Event, Level, Log, Message, Tone
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.execution.recording import RecordingExecutor
from pykamal.operations.hosts import lock
from tests.unit.memory_fleet import MemoryFleet
from tests.unit.samples import config, context, role

pytestmark = pytest.mark.unit


def plan_of(name: str) -> Plan:
    return Plan("test", (Phase(name, (Task("h", name, script(Step(name, command("touch", name)))),)),))


def test_what_may_run_at_the_same_time_is_planned_in_one_order() -> None:
    """A plan is always the same: things that a run does at once are recorded one after another."""
    recording = RecordingExecutor()
    run = replace(context(config(role("web", "h"))), executor=recording)

    async def slow() -> None:
        await asyncio.sleep(0)
        await run.execute(plan_of("slow"))

    asyncio.run(recording.run_all(slow(), run.execute(plan_of("fast"))))
    assert [phase.name for phase in recording.plan("test")] == ["slow", "fast"]
    assert [step.name for step in recording.pending("h")] == ["slow", "fast"]


def test_a_plan_tells_warnings_and_no_progress() -> None:
    """Nothing is under way, so nothing is told to be; what people should know before they run it is."""
    events: list[Event] = []
    bus = Bus(events.append)
    bus.hide(lambda: (Sensitive("hush-hush"),))
    quiet = RecordingExecutor().flow_bus(bus)
    quiet.say("Pull app image...")
    quiet.log("Cloning...")
    quiet.say("The proxy differs: hush-hush", Tone.WARNING)
    quiet.log("Missing builder", Level.WARN)
    texts = [event.text for event in events if isinstance(event, Message | Log)]
    assert texts == ["The proxy differs: [REDACTED]", "Missing builder"]


def test_a_plan_takes_no_lock() -> None:
    """The deploy lock goes around steps: a plan goes through the same flow without it."""
    fleet = MemoryFleet({})
    run = replace(context(config(role("web", "h"))), executor=RecordingExecutor(), fleet=fleet)  # type: ignore[arg-type]

    async def locked() -> bool:
        async with lock.held(run):
            return run.lock_held

    assert asyncio.run(locked())
    assert not run.lock_held
    assert fleet.done == []
