"""The hosts themselves: Docker on them, a command on all of them (spec/cli.md 14.1)."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.commands import server as commands
from pykamal.commands.command import Command, shell_line
from pykamal.commands.processes import by_login_shell
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_host
from pykamal.core.errors import DependencyError, KamalError
from pykamal.operations.context import Context
from pykamal.operations.execution import hooks
from pykamal.operations.execution.failure_hints import error_of
from pykamal.operations.execution.fanout import gather_hosts
from pykamal.operations.execution.plan import Phase, Task
from pykamal.operations.hosts import audit, lock
from pykamal.operations.hosts.reading import run_on, show_steps
from pykamal.operations.local.terminal import require_command
from pykamal.transport.session import StepResult

SHOWN_LINES = 5
MANUAL = "Install Docker manually: https://docs.docker.com/engine/install/"


async def bootstrap(context: Context) -> None:
    """`kamal server bootstrap`: Docker on every selected host, then the docker-setup hook."""
    async with lock.held(context):
        await install_docker(context)


async def install_docker(context: Context) -> None:
    """Install Docker where it is missing. Raises `DependencyError` naming the hosts where it could not be."""
    outcomes = await gather_hosts(context.selection.hosts, lambda host: _install_on(context, host))
    missing = {host: why for host, why in outcomes.items() if why is not None}
    if missing:
        raise DependencyError(
            f"Docker is not installed on {', '.join(missing)} and can't be automatically installed without having "
            f"root access and either `wget` or `curl`. {MANUAL}",
            host=next(iter(missing)),
            details=[f"{host}: {line}" for host, why in missing.items() for line in why],
            hint="give the SSH user root or sudo rights and the host a way to its package mirror, or install Docker "
            "on these hosts yourself",
        )
    await hooks.fire(context, "docker-setup")


async def without_docker(context: Context) -> list[str]:
    """The selected hosts that have no Docker."""

    async def has(host: str) -> bool:
        session = await context.fleet.session(host)
        return (await session.run(commands.docker_version(), check=False)).ok

    return [host for host, there in (await gather_hosts(context.selection.hosts, has)).items() if not there]


def install_phases(context: Context, hosts: Sequence[str]) -> tuple[Phase, ...]:
    """What `install_docker` does on hosts without Docker, to be shown: there it is done with a look at each answer."""
    steps = script(
        Step("install packages", commands.install_docker_packages()),
        Step("install Docker where that failed", commands.install_docker_script()),
        Step("start engine", commands.start_engine()),
    )
    hook = hooks.phase(context, "docker-setup")
    installing = Phase("install Docker", tuple(Task(host, "install Docker", steps) for host in hosts))
    return (installing,) if hook is None else (installing, hook)


async def _install_on(context: Context, host: str) -> Sequence[str] | None:
    """None when the host has a usable Docker in the end, else why not."""
    session = await context.fleet.session(host)
    version, rights, use = await session.run_script(
        script(
            Step("check Docker", commands.docker_version()),
            Step("check rights", commands.can_administer()),
            Step("check use of Docker", commands.use_docker()),
        ),
        check=False,
    )
    if version.ok and use.ok:
        return None
    if version.ok and not rights.ok:
        raise error_of(use, host)
    if version.ok and "permission denied" in use.stderr:
        await _join_docker_group(context, host)
        return None
    if version.ok:
        await run_on(context, host, script(Step("start engine", commands.start_engine())))
        return None
    if not rights.ok:
        return (f"{session.user or 'the SSH user'} is neither root nor allowed to use sudo without a password",)
    context.bus.log(f"Missing Docker on {host}. Installing…", host=host)
    packages = await session.run(commands.install_docker_packages(), name="install packages", check=False)
    if not packages.ok:
        makers = await session.run(commands.install_docker_script(), name="install Docker", check=False)
        if not makers.ok:
            return (*_last_lines(packages), *_last_lines(makers))
    await run_on(context, host, script(Step("start engine", commands.start_engine())))
    await _join_docker_group(context, host)
    return None


def _last_lines(result: StepResult) -> list[str]:
    return [f"{result.step.name}: {line}" for line in result.stderr.splitlines() if line.strip()][-SHOWN_LINES:]


async def _join_docker_group(context: Context, host: str) -> None:
    session = await context.fleet.session(host)
    root = await session.run(commands.is_root(), check=False)
    member = root.ok or (await session.run(commands.in_docker_group(), check=False)).ok
    if member:
        return
    await session.run(commands.add_to_docker_group(), name="join docker group")
    context.bus.log("Session refreshed due to group change.", host=host)
    await context.fleet.reconnect(host)


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
