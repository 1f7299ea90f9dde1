"""The executor with real shells of this machine in the place of hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pykamal.commands.command import shell_line
from pykamal.commands.script import Script, Step, script
from pykamal.commands.subject import Action, of_role
from pykamal.core.errors import CommandFailed, HealthError, HookFailed, HostErrors, HostUnreachable, KamalError
from pykamal.events import Bus, CommandStarted, Event, Log, Message, PhaseFinished, PhaseStarted
from pykamal.operations.context import Context
from pykamal.operations.execution import executor
from pykamal.operations.execution.plan import LOCAL, Barrier, Phase, Plan, Task
from pykamal.transport.local import LocalSession
from tests.unit.samples import config, context, role

pytestmark = [pytest.mark.unit, pytest.mark.process]


class ShellFleet:
    """Every host is a shell of this machine."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    async def session(self, host: str) -> LocalSession:
        return LocalSession(self.bus)

    async def connect_all(self, hosts: Iterable[str]) -> None:
        if missing := [host for host in hosts if host.startswith("dead")]:
            raise HostUnreachable(f"No answer from {missing[0]}", host=missing[0])


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def run(events: list[Event]) -> Context:
    made = context(config(role("web", "a", "b")))
    made.bus = Bus(events.append)
    made.fleet = ShellFleet(made.bus)  # type: ignore[assignment]
    made.local = LocalSession(made.bus)
    return made


def lines(*texts: str) -> Script:
    return script(*(Step(text, shell_line(text)) for text in texts))


async def carry_out(run: Context, *phases: Phase) -> None:
    await run.execute(Plan("test", phases))


def test_phases_run_one_after_another_and_hosts_at_the_same_time(run: Context, tmp_path: Path) -> None:
    """spec/cli.md 6.4: a phase is a barrier over all hosts."""
    slow = Task("a", "slow", lines(f"sleep 0.2; echo a >> {tmp_path}/log"))
    fast = Task("b", "fast", lines(f"echo b >> {tmp_path}/log"))
    last = tuple(Task(host, "last", lines(f"echo last >> {tmp_path}/log")) for host in ("a", "b"))
    asyncio.run(carry_out(run, Phase("one", (slow, fast)), Phase("two", last)))
    assert (tmp_path / "log").read_text().split() == ["b", "a", "last", "last"]


def test_one_hosts_failure_does_not_stop_the_others_but_the_next_phase(run: Context, tmp_path: Path) -> None:
    """spec/cli.md 6.4: all hosts are awaited, then the failure is raised."""
    bad = Task("a", "bad", lines("echo wrong >&2; exit 3"))
    good = Task("b", "good", lines(f"sleep 0.1; touch {tmp_path}/good"))
    never = Task("b", "never", lines(f"touch {tmp_path}/never"))
    with pytest.raises(CommandFailed, match="exit status: 3") as caught:
        asyncio.run(carry_out(run, Phase("one", (bad, good)), Phase("two", (never, bad))))
    assert caught.value.host == "a"
    assert caught.value.stderr.strip() == "wrong"
    assert (tmp_path / "good").exists()
    assert not (tmp_path / "never").exists()


def test_what_the_others_did_and_what_was_left_out_is_told(run: Context, events: list[Event]) -> None:
    """design.md, rule 3: one host's failure is collected; whoever is called at night sees where each host stands."""
    tasks = (Task("a", "bad", lines("exit 1")), Task("b", "good", lines("true")))
    with pytest.raises(CommandFailed):
        asyncio.run(carry_out(run, Phase("boot", tasks), Phase("tag and prune", tasks)))
    told = [event.text for event in events if isinstance(event, Log)]
    assert told == ["boot: failed on a, done on b; not started: tag and prune"]


def test_one_host_is_told_the_same_and_in_the_order_of_its_phases(run: Context, events: list[Event]) -> None:
    """Phases of one host share an exchange: what is announced, and what was not started, is as with several."""
    phases = (
        Phase("prepare", (Task("a", "prepare", lines("echo first")),), ("Prepare...",)),
        Phase("boot", (Task("a", "boot", lines("echo second", "exit 1")),), ("Boot...",)),
        Phase("tag", (Task("a", "tag", lines("true")),), ("Tag...",)),
        Phase("prune", (Task("a", "prune", lines("true")),), ("Prune...",)),
    )
    with pytest.raises(CommandFailed):
        asyncio.run(carry_out(run, *phases))
    happened = [
        event.text if isinstance(event, Message | Log) else event.step
        for event in events
        if isinstance(event, Message | Log | CommandStarted)
    ]
    assert happened == [
        *("Prepare...", "echo first", "Boot...", "echo second", "exit 1"),
        "boot: failed on a; not started: tag; prune",
    ]


def test_a_failed_hook_leaves_the_rest_undone(run: Context, events: list[Event]) -> None:
    """The same where it is this machine that failed."""
    hook = Task(LOCAL, "hook", lines("exit 5"), hook="pre-app-boot")
    boot = Task("a", "boot", lines("true"))
    with pytest.raises(HookFailed):
        asyncio.run(carry_out(run, Phase("pre-app-boot hook", (hook,)), Phase("boot", (boot,))))
    assert [event.text for event in events if isinstance(event, Log)] == [
        "pre-app-boot hook: failed on this machine; not started: boot"
    ]


def test_nothing_starts_before_all_hosts_are_connected_to(run: Context, tmp_path: Path) -> None:
    """A host that is out of reach leaves the others as they were."""
    touching = tuple(Task(host, "touch", lines(f"touch {tmp_path}/touched")) for host in ("a", "dead"))
    with pytest.raises(HostUnreachable, match="No answer from dead"):
        asyncio.run(carry_out(run, Phase("one", touching[:1]), Phase("two", touching)))
    assert not (tmp_path / "touched").exists()


def test_failures_of_several_hosts_are_told_together(run: Context) -> None:
    """spec/cli.md 6.4: `Exceptions on N hosts:`."""
    bad = tuple(Task(host, "bad", lines("exit 1")) for host in ("a", "b"))
    with pytest.raises(HostErrors, match="Exceptions on 2 hosts"):
        asyncio.run(carry_out(run, Phase("one", bad)))


def test_a_failed_task_is_undone_and_those_before_it_are_not(run: Context, tmp_path: Path) -> None:
    """Plans say what each task undoes; the exchange that tasks share does not widen it."""
    done = Task("a", "done", lines("true"), undo=lines(f"touch {tmp_path}/undone-first"))
    bad = Task("a", "bad", lines("true", "exit 1"), undo=lines(f"touch {tmp_path}/undone-second"))
    with pytest.raises(CommandFailed):
        asyncio.run(carry_out(run, Phase("one", (done, bad))))
    assert not (tmp_path / "undone-first").exists()
    assert (tmp_path / "undone-second").exists()


def test_an_interrupted_task_is_undone(run: Context, tmp_path: Path) -> None:
    """Ctrl-C ends what runs on the host, then takes it back."""
    task = Task(
        "a",
        "boot",
        lines(f"touch {tmp_path}/begun; sleep 30; touch {tmp_path}/ended"),
        undo=lines(f"touch {tmp_path}/undone"),
    )

    asyncio.run(interrupt_when(tmp_path / "begun", run, task))
    assert (tmp_path / "undone").exists()
    assert not (tmp_path / "ended").exists()


async def interrupt_when(begun: Path, run: Context, *tasks: Task, after: Sequence[Phase] = ()) -> None:
    running = asyncio.create_task(carry_out(run, Phase("one", tasks), *after))
    while not begun.exists():
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_a_failed_task_is_undone_though_its_evidence_is_interrupted(run: Context, tmp_path: Path) -> None:
    """Ctrl-C while the failure is being explained must not leave the new container behind."""
    evidence = lines(f"touch {tmp_path}/begun; sleep 30")
    failing = script(Step("boot", shell_line("exit 1"), of_role(Action.RUN, role("web", "a"))))
    task = Task("a", "boot", failing, evidence=evidence, undo=lines(f"touch {tmp_path}/undone"))
    asyncio.run(interrupt_when(tmp_path / "begun", run, task))
    assert (tmp_path / "undone").exists()


@pytest.mark.parametrize(("action", "read"), [(Action.RUN, True), (Action.PULL, False)])
def test_evidence_is_read_of_what_the_failed_step_was_about(
    run: Context, tmp_path: Path, action: Action, read: bool
) -> None:
    """A container's remains are no evidence if the pull of its image failed."""
    failing = script(Step("boot", shell_line("exit 1"), of_role(action, role("web", "a"))))
    task = Task("a", "boot", failing, evidence=lines(f"touch {tmp_path}/read"))
    with pytest.raises(CommandFailed):
        asyncio.run(carry_out(run, Phase("one", (task,))))
    assert (tmp_path / "read").exists() == read


def test_an_undo_that_is_interrupted_goes_on_to_its_end(run: Context, tmp_path: Path) -> None:
    """Half undone is worse than either."""
    undo = lines(f"touch {tmp_path}/begun; sleep 0.2; touch {tmp_path}/undone")
    asyncio.run(interrupt_when(tmp_path / "begun", run, Task("a", "boot", lines("exit 1"), undo=undo)))
    assert (tmp_path / "undone").exists()


def test_an_undo_may_take_as_long_as_a_container_may_take_to_stop(
    run: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An undo mostly stops a new container, which may take `stop_timeout`."""
    monkeypatch.setattr(executor, "UNDO_SECONDS", 0.1)
    run.config = config(role("web", "a"), role("worker", "a", stop_timeout=2))
    undo = lines(f"sleep 0.5; touch {tmp_path}/undone")
    with pytest.raises(CommandFailed):
        asyncio.run(carry_out(run, Phase("one", (Task("a", "boot", lines("exit 1"), undo=undo),))))
    assert (tmp_path / "undone").exists()


def test_a_failing_undo_does_not_hide_the_failure(run: Context, events: list[Event]) -> None:
    """design.md, rule 3: no host's failure is lost."""
    task = Task("a", "boot", lines("echo first >&2; exit 1"), undo=lines("exit 9"))
    with pytest.raises(CommandFailed) as caught:
        asyncio.run(carry_out(run, Phase("one", (task,))))
    assert caught.value.stderr.strip() == "first"


def test_waiting_tasks_start_when_the_gate_opens(run: Context, tmp_path: Path, events: list[Event]) -> None:
    """spec/cli.md 13.5.1: the barrier opens with the first healthy primary, before its old container is stopped."""
    barrier = Barrier("web")
    web = Task("a", "boot web", lines(f"sleep 0.1; echo web >> {tmp_path}/log"), role="web", opens=barrier)
    old = Task("a", "stop old", lines(f"sleep 0.3; echo old >> {tmp_path}/log"))
    jobs = Task("b", "boot jobs", lines(f"echo jobs >> {tmp_path}/log"), role="jobs", waits_for=barrier)
    asyncio.run(carry_out(run, Phase("boot", (web, old, jobs))))
    assert (tmp_path / "log").read_text().split() == ["web", "jobs", "old"]
    texts = [event.text for event in events if isinstance(event, Log)]
    assert "First web container is healthy on a, booting any other roles" in texts


def test_the_first_healthy_container_is_told_where_no_role_waits(run: Context, events: list[Event]) -> None:
    """spec/cli.md 13.5.1: the barrier opens all the same."""
    asyncio.run(
        carry_out(run, Phase("boot", (Task("a", "boot web", lines("true"), role="web", opens=Barrier("web")),)))
    )
    texts = [event.text for event in events if isinstance(event, Log)]
    assert texts == ["First web container is healthy on a, booting any other roles"]


def test_the_first_healthy_container_is_told_before_what_follows(run: Context, events: list[Event]) -> None:
    """Phases on one host share an exchange; the next one is not announced before the container is called healthy."""
    web = Task("a", "boot web", lines("true", "true"), role="web", opens=Barrier("web"))
    pruning = Phase("prune", (Task("a", "prune", lines("true")),), ("Prune old containers and images...",))
    asyncio.run(carry_out(run, Phase("boot", (web,)), pruning))
    assert [event.text for event in events if isinstance(event, Log | Message)] == [
        "First web container is healthy on a, booting any other roles",
        "Prune old containers and images...",
    ]


def test_a_container_that_was_not_started_is_not_called_unhealthy(run: Context, events: list[Event]) -> None:
    """Phases on one host share an exchange; what fails before the container says nothing of it."""
    barrier = Barrier("web")
    proxy = Phase("proxy", (Task("a", "boot proxy", lines("exit 1")),))
    web = Task("a", "boot web", lines("true"), role="web", opens=barrier)
    jobs = Task("a", "boot jobs", lines("true"), role="jobs", waits_for=barrier)
    with pytest.raises(CommandFailed):
        asyncio.run(carry_out(run, proxy, Phase("boot", (web, jobs))))
    assert [event.text for event in events if isinstance(event, Log)] == ["proxy: failed on a; not started: boot"]


def test_a_step_may_log_a_line_as_it_begins(run: Context, events: list[Event]) -> None:
    """The line comes before the command's own."""
    step = replace(lines("true").steps[0], log="Renaming")
    asyncio.run(carry_out(run, Phase("boot", (Task("a", "boot", script(step)),))))
    told = [event for event in events if isinstance(event, Log | CommandStarted)]
    assert [type(event) for event in told] == [Log, CommandStarted]


def test_waiting_tasks_do_not_start_when_the_gate_closes(run: Context, tmp_path: Path, events: list[Event]) -> None:
    """spec/cli.md 13.5.1: `Halted at barrier`."""
    barrier = Barrier("web")
    web = Task("a", "boot web", lines("exit 1"), role="web", opens=barrier)
    jobs = Task("b", "boot jobs", lines(f"touch {tmp_path}/jobs"), role="jobs", waits_for=barrier)
    with pytest.raises(HostErrors) as caught:
        asyncio.run(carry_out(run, Phase("boot", (web, jobs))))
    assert [type(error) for error in caught.value.errors] == [CommandFailed, HealthError]
    assert not (tmp_path / "jobs").exists()
    texts = [event.text for event in events if isinstance(event, Log)]
    assert "First web container is unhealthy on a, not booting any other roles" in texts


def test_an_interrupt_says_nothing_of_the_container(run: Context, tmp_path: Path, events: list[Event]) -> None:
    """After Ctrl-C nobody knows whether it would have become healthy."""
    barrier = Barrier("web")
    web = Task("a", "boot web", lines(f"touch {tmp_path}/begun; sleep 30"), role="web", opens=barrier)
    jobs = Task("b", "boot jobs", lines("true"), role="jobs", waits_for=barrier)
    asyncio.run(interrupt_when(tmp_path / "begun", run, web, jobs))
    assert [event.text for event in events if isinstance(event, Log) and "healthy" in event.text] == [
        "Waiting for the first healthy web container before booting jobs on b..."
    ]


def test_what_an_interrupt_left_out_is_told(run: Context, tmp_path: Path, events: list[Event]) -> None:
    """Phases on one host share an exchange; the one that was under way is named, and those after it."""
    boot = Phase("boot", (Task("a", "boot web", lines("true", f"touch {tmp_path}/begun; sleep 30")),))
    prune = Phase("tag and prune", (Task("a", "tag", lines("true")),))
    proxy = Task("a", "boot proxy", lines("true"))
    asyncio.run(interrupt_when(tmp_path / "begun", run, proxy, after=(boot, prune)))
    assert [event.text for event in events if isinstance(event, Log)] == [
        "boot: interrupted on a; not started: tag and prune"
    ]


def test_a_gate_that_nobody_reaches_is_closed(run: Context) -> None:
    """A failure before the opening task must not leave the waiting hosts hanging."""
    barrier = Barrier("web")
    before = Task("a", "prepare", lines("exit 1"))
    web = Task("a", "boot web", lines("true"), role="web", opens=barrier)
    jobs = Task("b", "boot jobs", lines("true"), role="jobs", waits_for=barrier)
    with pytest.raises(KamalError):
        asyncio.run(asyncio.wait_for(carry_out(run, Phase("boot", (before, web, jobs))), timeout=10))


def test_hooks_get_their_environment_and_fail_as_hooks(run: Context, tmp_path: Path) -> None:
    """spec/cli.md 9.4: the failure names the hook; its exit status is the real one (22, 8)."""
    good = Task(
        LOCAL, "hook", lines(f'echo "$KAMAL_VERSION" > {tmp_path}/seen'), hook="x", environment={"KAMAL_VERSION": "7"}
    )
    bad = Task(LOCAL, "hook", lines("exit 5"), hook="pre-deploy")
    with pytest.raises(HookFailed, match=r"Hook `pre-deploy` failed:\n.*exit status: 5"):
        asyncio.run(carry_out(run, Phase("a", (good,)), Phase("b", (bad,))))
    assert (tmp_path / "seen").read_text().strip() == "7"


def test_phases_are_told(run: Context, events: list[Event]) -> None:
    """Everything that happens is an event; a failed phase says so."""
    with pytest.raises(CommandFailed):
        asyncio.run(carry_out(run, Phase("one", (Task("a", "bad", lines("exit 1")),))))
    assert [event.phase for event in events if isinstance(event, PhaseStarted)] == ["one"]
    assert [event.failed for event in events if isinstance(event, PhaseFinished)] == [True]
