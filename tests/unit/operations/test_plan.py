"""Plans as data: phases, lanes, exchanges."""

from __future__ import annotations

import pytest

from pykamal.commands.command import command
from pykamal.commands.script import Step, script
from pykamal.operations.execution.plan import LOCAL, Barrier, Phase, Plan, Task, batches

pytestmark = pytest.mark.unit


def task(host: str, name: str = "x", **more: object) -> Task:
    return Task(host, name, script(Step(name, command("echo", name))), **more)  # type: ignore[arg-type]


def test_phases_on_one_and_the_same_host_share_an_exchange() -> None:
    """design.md, rule 2: with a single host the barrier between phases is only a round trip."""
    plan = Plan("deploy", (Phase("a", (task("h"),)), Phase("b", (task("h"),)), Phase("c", (task("h"),)))).coalesced()
    assert [len(phase.tasks) for phase in plan] == [3]


def test_phases_on_several_hosts_keep_their_barrier() -> None:
    """spec/cli.md 20.2: all hosts are prepared before the first boots."""
    phase = (task("h"), task("i"))
    plan = Plan("deploy", (Phase("a", phase), Phase("b", phase))).coalesced()
    assert len(plan.phases) == 2


def test_a_hook_between_two_phases_keeps_them_apart() -> None:
    """spec/cli.md 9.2: pre-app-boot runs between preparation and boot."""
    plan = Plan("deploy", (Phase("a", (task("h"),)), Phase("hook", (task(LOCAL),)), Phase("b", (task("h"),))))
    assert len(plan.coalesced().phases) == 3


def test_a_pause_keeps_phases_apart() -> None:
    """spec/config.md 12: `boot.wait` is waited for after each group."""
    plan = Plan("deploy", (Phase("a", (task("h"),), pause=3), Phase("b", (task("h"),))))
    assert len(plan.coalesced().phases) == 2


def test_empty_phases_disappear() -> None:
    """A phase with nothing to do and nothing to say is no phase."""
    assert Plan("deploy", (Phase("a", ()), Phase("b", (task("h"),)))).coalesced().phases[0].name == "b"


def test_phases_that_share_an_exchange_are_announced_when_they_begin() -> None:
    """spec/cli.md 13.2: each message comes before what it is about, also that of a phase with nothing to do."""
    plan = Plan(
        "deploy",
        (
            Phase("a", (task("h"),), ("A...",)),
            Phase("b", (), ("B...",)),
            Phase("c", (task("h"), task("h")), ("C...",)),
            Phase("d", (), ("D...",)),
        ),
    ).coalesced()
    assert [phase.announcements for phase in plan] == [("A...",), ("D...",)]
    steps = [step for each in plan.phases[0].tasks for step in each.script]
    assert [step.announcements for step in steps] == [(), ("B...", "C..."), ()]
    assert [each.phase for each in plan.phases[0].tasks] == ["a", "c", "c"]


def test_an_awaited_gate_ends_an_exchange() -> None:
    """spec/cli.md 13.5.1: other roles start when the container is healthy, not when the old one has stopped."""
    barrier = Barrier("web")
    lane = [task("h", "boot", opens=barrier), task("h", "stop old")]
    assert [len(batch) for batch in batches(lane, frozenset({barrier}))] == [1, 1]
    assert [len(batch) for batch in batches(lane, frozenset())] == [2]


def test_a_task_that_waits_begins_an_exchange() -> None:
    """Nothing before it on the host may be held up by the barrier."""
    barrier = Barrier("web")
    lane = [task("h", "prepare"), task("h", "boot jobs", waits_for=barrier)]
    assert [len(batch) for batch in batches(lane, frozenset({barrier}))] == [1, 1]


def test_branches_keep_the_barrier_of_their_phase() -> None:
    """spec/cli.md 13.5: in one exchange a branch would start before what its phase waits for."""
    plan = Plan(
        "deploy",
        (Phase("prepare", (task("h"),)), Phase("boot", (task("h", branch="web"),)), Phase("tag", (task("h"),))),
    )
    assert [len(phase.tasks) for phase in plan.coalesced()] == [1, 1, 1]


def test_roles_in_parallel_have_lanes_of_their_own() -> None:
    """spec/cli.md 6.4: `boot.parallel_roles`."""
    tasks = (task("h", "web", role="web", branch="web"), task("h", "jobs", role="jobs", branch="jobs"))
    assert len(Phase("boot", tasks).lanes()) == 2
