"""Reads hosts without changing them: facts for planners, outputs for people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from pykamal.commands import app, readiness
from pykamal.commands.command import Command
from pykamal.commands.script import Script, Step, script
from pykamal.commands.subject import Subject
from pykamal.events import HostResult
from pykamal.operations.context import Context
from pykamal.operations.execution.failure_hints import error_of, failed_step
from pykamal.operations.execution.fanout import gather_hosts
from pykamal.operations.hosts import facts as host_facts
from pykamal.operations.hosts import lock, results
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.projection import engine_pending, projected
from pykamal.transport.session import StepResult

ENGINE = Step("check engine", readiness.engine())
"""Before what may find nothing, or ends in a pipe that hides how it ended: without an engine there is no answer."""


async def read_facts(
    context: Context, hosts: Iterable[str], given: dict[str, HostFacts] | None = None, *, proxy: bool = False
) -> dict[str, HostFacts]:
    """Facts of the hosts, in one exchange each; `given` ones are not read again. `proxy` asks for those of proxies too.

    Where several versions of a role run, a second exchange tells which one is current. Steps that are pending on a host
    show in its facts as if they were done; of an engine that they make answer nothing is known yet.
    """
    given = given or {}

    async def read(host: str) -> HostFacts:
        pending = context.executor.pending(host)
        if engine_pending(pending):
            return projected(context.config, HostFacts(host, ()), pending)
        facts = given.get(host) or host_facts.parse(host, await run_on(context, host, _reading(context, host, proxy)))
        undecided = facts.undecided(context.selection.roles_on(host))
        if not undecided:
            return projected(context.config, facts, pending)
        steps = (Step(f"current {role.name}", app.current_version(context.config, role)) for role in undecided)
        results = await run_on(context, host, script(steps))
        chosen = {role.name: result.captured for role, result in zip(undecided, results, strict=True)}
        return projected(context.config, replace(facts, chosen=chosen), pending)

    return await gather_hosts(hosts, read)


def _reading(context: Context, host: str, proxy: bool) -> Script:
    return host_facts.reading(context.config, host, proxy=proxy and host in context.selection.proxy_hosts)


@asynccontextmanager
async def deploy_lock(context: Context, *, proxy: bool = False) -> AsyncIterator[dict[str, HostFacts]]:
    """Hold the deploy lock; the facts of its host, read in the exchange that took it, if that was just now.

    `proxy` asks for those of its proxy too. Several hosts are read at the same time instead, once the lock is taken.
    """
    host = context.selection.primary_host
    alone = len(context.selection.hosts) == 1
    reading = _reading(context, host, proxy) if alone and host is not None else None
    async with lock.held(context, reading) as results:
        yield {host: host_facts.parse(host, results)} if host is not None and results else {}


async def run_on(context: Context, host: str, steps: Script) -> list[StepResult]:
    """Run a script on a host. Raises `CommandFailed` with the hint that its output suggests."""
    session = await context.fleet.session(host)
    results = await session.run_script(steps, check=False)
    failure = failed_step(results)
    if failure is not None:
        raise error_of(failure, host)
    return results


async def capture(
    context: Context,
    hosts: Iterable[str],
    commands_for: Callable[[str], Sequence[tuple[str, Command]]],
) -> dict[str, list[StepResult]]:
    """The results of named commands on each host, one exchange a host."""

    async def read(host: str) -> list[StepResult]:
        steps = [Step(name, command) for name, command in commands_for(host)]
        return await run_on(context, host, script(steps)) if steps else []

    return await gather_hosts(hosts, read)


async def show_on_hosts(
    context: Context,
    hosts: Sequence[str],
    command_for: Callable[[str], Command | Sequence[Command]],
    *,
    kind: str | None = "App",
    verbatim: bool = False,
    checks: Sequence[tuple[str, Command]] = (),
    subject: Subject | None = None,
) -> None:
    """Print what the commands say, host by host in order; nothing where one of the named `checks` fails."""

    def steps_for(host: str) -> list[Step]:
        chosen = command_for(host)
        commands = [chosen] if isinstance(chosen, Command) else chosen
        named = [*checks, *(("", command) for command in commands)]
        return [Step(name, command, subject) for name, command in named]

    await show_steps(context, hosts, steps_for, kind=kind, verbatim=verbatim)


async def show_steps(
    context: Context,
    hosts: Sequence[str],
    steps_for: Callable[[str], Sequence[Step]],
    *,
    kind: str | None = "App",
    verbatim: bool = False,
    raw: bool = False,
    otherwise: str | None = None,
) -> None:
    """Run steps on each host, in one exchange a host, and print what those without a name say, host by host in order.

    Hosts that answered are shown even when others failed; the failures are raised afterwards. `verbatim` is for what
    the user's own commands and containers print: secrets in it stay, and it may be of any length. `otherwise` replaces
    the output of a step that failed and may fail.
    """
    shown: dict[str, list[StepResult]] = {}

    async def run(host: str) -> None:
        steps = steps_for(host)
        if not steps:
            return
        session = await context.fleet.session(host)
        ran = await session.run_script(script(steps), check=False, whole=verbatim)
        failure = failed_step(ran)
        shown[host] = [result for result in ran if not result.step.name and result is not failure]
        for result in shown[host]:
            if otherwise is not None and not result.ok and result.captured:
                context.bus.log(result.captured.splitlines()[-1], host=host)
        if failure is not None:
            raise error_of(failure, host)

    try:
        await gather_hosts(hosts, run)
    finally:
        for host in hosts:
            for result in shown.get(host, []):
                event = HostResult(host=host, text=otherwise or "", kind=kind, verbatim=verbatim, raw=raw)
                failed = otherwise is not None and not result.ok
                for each in [event] if failed else results.events(result, event):
                    context.bus.emit(each)
