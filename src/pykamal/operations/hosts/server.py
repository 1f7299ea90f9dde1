"""Installs Docker on the hosts and runs command lines on them (spec/cli.md 14.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pykamal.commands import server as commands
from pykamal.commands.command import Command, shell_line
from pykamal.commands.hooks import DOCKER_SETUP
from pykamal.commands.processes import by_login_shell
from pykamal.commands.script import Script, Step, script
from pykamal.commands.subject import Action, of_host
from pykamal.core.errors import DependencyError, KamalError
from pykamal.operations.context import Context
from pykamal.operations.execution import hooks
from pykamal.operations.execution.failure_hints import error_of, failed_step
from pykamal.operations.execution.fanout import gather_hosts
from pykamal.operations.execution.plan import Phase, Task
from pykamal.operations.hosts import audit, lock
from pykamal.operations.hosts.reading import show_steps
from pykamal.operations.local.terminal import require_command
from pykamal.transport.session import StepResult

SHOWN_LINES = 5
MANUAL = "Install Docker manually: https://docs.docker.com/engine/install/"


async def bootstrap(context: Context) -> None:
    """`kamal server bootstrap`: Docker on every selected host, then the docker-setup hook."""
    async with lock.held(context):
        await install_docker(context)


@dataclass(frozen=True, slots=True)
class _EngineFacts:
    """Facts of a host's Docker and of the rights of the SSH user. `missing` tells that it is not installed.

    `refusal` is the result of a user's question that the engine did not answer, None where it did.
    """

    missing: bool
    refusal: StepResult | None
    may_install: bool
    uses_docker: bool
    user: str

    @property
    def joins_group(self) -> bool:
        """True if the user has to become a member of the group docker."""
        denied = self.refusal is not None and "permission denied" in self.refusal.stderr
        return not self.uses_docker and (self.missing or denied)


async def install_docker(context: Context) -> None:
    """Install Docker where it is missing. Raises `DependencyError` naming the hosts where it could not be."""
    engines = await gather_hosts(context.selection.hosts, lambda host: _look(context, host))
    for host, facts in engines.items():
        if facts.refusal is not None and not facts.missing and not facts.may_install:
            raise error_of(facts.refusal, host)
    barred = {host: facts for host, facts in engines.items() if facts.missing and not facts.may_install}
    _refuse(
        {
            host: [f"{facts.user} is neither root nor allowed to use sudo without a password"]
            for host, facts in barred.items()
        }
    )
    tasks = tuple(
        Task(host, "install Docker" if facts.missing else "make Docker usable", _steps(host, facts))
        for host, facts in engines.items()
        if facts.missing or facts.refusal is not None
    )
    results = await context.executor.exchange(Phase("install Docker", tasks), context)
    _refuse({host: why for host, answers in results.items() if (why := _failure(host, answers))})
    for host, facts in engines.items():
        if facts.joins_group:
            context.bus.log("Session refreshed due to group change.", host=host)
            await context.fleet.reconnect(host)
    await hooks.fire(context, DOCKER_SETUP)


def _refuse(reasons: Mapping[str, Sequence[str]]) -> None:
    if reasons:
        raise DependencyError(
            f"Docker is not installed on {', '.join(reasons)} and can't be automatically installed without having "
            f"root access and either `wget` or `curl`. {MANUAL}",
            host=next(iter(reasons)),
            details=[f"{host}: {line}" for host, lines in reasons.items() for line in lines],
            hint="give the SSH user root or sudo rights and the host a way to its package mirror, or install Docker "
            "on these hosts yourself",
        )


async def _look(context: Context, host: str) -> _EngineFacts:
    session = await context.fleet.session(host)
    version, use, rights, member = await session.run_script(
        script(
            Step("check Docker", commands.docker_version()),
            Step("check use of Docker", commands.use_docker()),
            Step("check rights", commands.can_administer()),
            Step("check group", commands.is_root().or_(commands.in_docker_group())),
        ),
        check=False,
    )
    return _EngineFacts(
        missing=not version.ok,
        refusal=None if use.ok else use,
        may_install=rights.ok,
        uses_docker=member.ok,
        user=session.user or "the SSH user",
    )


def _steps(host: str, facts: _EngineFacts) -> Script:
    """Have an engine that answers this user. The makers' script is for where packages did not bring Docker."""
    steps: list[Step] = []
    if facts.missing:
        announcement = f"Missing Docker on {host}. Installing…"
        by_script = commands.unless_docker_is_installed(commands.install_docker_script())
        steps += [
            Step("install packages", commands.install_docker_packages(), of_host(Action.INSTALL), log=announcement),
            Step("install Docker", by_script, of_host(Action.INSTALL)),
        ]
    if facts.missing or not facts.joins_group:
        steps.append(Step("start engine", commands.start_engine(), of_host(Action.INSTALL)))
    if facts.joins_group:
        steps.append(Step("join docker group", commands.add_to_docker_group(), of_host(Action.INSTALL)))
    return script(steps)


def _failure(host: str, results: Sequence[StepResult]) -> list[str]:
    """The last lines of why Docker could not be installed, if so. Raises what else failed."""
    failure = failed_step(results)
    if failure is None:
        return []
    if failure.step.name != "install Docker":
        raise error_of(failure, host)
    return [line for result in results for line in _last_lines(result)]


def _last_lines(result: StepResult) -> list[str]:
    return [f"{result.step.name}: {line}" for line in result.stderr.splitlines() if line.strip()][-SHOWN_LINES:]


async def exec_(context: Context, *, command: str, raw: bool = False) -> None:
    """`kamal server exec`: a command line on every selected host."""
    require_command(command)
    await context.fleet.before_connecting()
    hosts = context.selection.hosts
    context.bus.say(f"Running '{command}' on {', '.join(hosts)}...")

    def steps_for(host: str) -> Sequence[Step]:
        executing = Step("", by_login_shell(shell_line(command)), of_host(Action.EXECUTE))
        return audit.step(context, f"Executed cmd '{command}' on {host}"), executing

    await show_steps(context, hosts, steps_for, verbatim=True, raw=raw)


async def interactive(context: Context, *, command: str) -> tuple[str, Command]:
    """The host and the command to run in the operator's terminal. Raises `KamalError` where no host is selected."""
    require_command(command)
    host = context.selection.primary_host
    if host is None:
        raise KamalError("No host to run on", hint="check --hosts")
    await context.fleet.before_connecting()
    context.bus.say(f"Running '{command}' on {host} interactively...")
    return host, shell_line(command)
