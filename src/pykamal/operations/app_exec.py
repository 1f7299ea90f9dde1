"""Running something in the application's containers (spec/cli.md 14.4)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from pykamal.commands import app as commands
from pykamal.commands.command import Command
from pykamal.commands.script import script
from pykamal.core.errors import KamalError, UsageError
from pykamal.operations import audit, registry
from pykamal.operations.context import Context
from pykamal.operations.executor import execute
from pykamal.operations.plan import Phase, Plan, Task
from pykamal.operations.reading import read_facts, run_on, show_on_hosts
from pykamal.operations.terminal import interactive_flags


async def exec_(
    context: Context,
    *,
    command: str,
    reuse: bool = False,
    env: Mapping[str, str] | None = None,
    detach: bool = False,
    raw: bool = False,
) -> None:
    """Run a command line in a new container of the image, or with `reuse` in the running one."""
    if not command.strip():
        raise UsageError("No command provided. You must specify a command to execute.")
    if reuse:
        await _exec_existing(context, command, env=env or {}, raw=raw)
    else:
        await _exec_new(context, command, env=env or {}, detach=detach, raw=raw)


async def _exec_existing(context: Context, command: str, *, env: Mapping[str, str], raw: bool) -> None:
    context.bus.say("Get current version of running container...")
    current = await _current_version(context)
    context.bus.say(f"Launching command with version {current} from existing container...")

    def commands_for(host: str) -> Sequence[Command]:
        return [commands.exec_existing(role, current, command, env=env) for role in context.targets.roles_on(host)]

    await _note(context, f"Executed cmd '{command}' on app version {current}", by_role=True)
    await show_on_hosts(context, context.targets.app_hosts, commands_for, raw=raw)


async def _exec_new(context: Context, command: str, *, env: Mapping[str, str], detach: bool, raw: bool) -> None:
    wanted = _image_version(context)
    context.bus.say(f"Launching command with version {wanted} from new container...")
    await _note(context, f"Executed cmd '{command}' on app version {wanted}", by_role=False, log_in=True)

    def commands_for(host: str) -> Sequence[Command]:
        return [
            commands.exec_new(context.config, role, host, wanted, command, suffix=_suffix(), env=env, detach=detach)
            for role in context.targets.roles_on(host)
        ]

    await show_on_hosts(context, context.targets.app_hosts, commands_for, raw=raw)


async def interactive(
    context: Context, *, command: str, reuse: bool = False, env: Mapping[str, str] | None = None
) -> tuple[str, Command]:
    """The host and the command to run in the operator's terminal, on the primary host."""
    if not command.strip():
        raise UsageError("No command provided. You must specify a command to execute.")
    host, role = context.targets.primary_host, context.targets.primary_role
    if host is None or role is None:
        raise KamalError("No host to run on", hint="check --hosts and --roles")
    terminal = interactive_flags()
    place = "existing" if reuse else "new"
    if reuse:
        context.bus.say("Get current version of running container...")
        wanted = await _current_version(context)
        line = commands.exec_existing(role, wanted, command, env=env or {}, interactive=terminal)
    else:
        wanted = _image_version(context)
        if logins := registry.login_steps(context):
            await run_on(context, host, script(logins))
        line = commands.exec_new(
            context.config, role, host, wanted, command, suffix=_suffix(), env=env or {}, interactive=terminal
        )
    context.bus.say(f"Launching interactive command with version {wanted} via SSH from {place} container on {host}...")
    return host, line


def _image_version(context: Context) -> str:
    if context.settings.version is not None:
        return context.settings.version
    context.bus.say("Get most recent version available as an image...")
    return context.config.latest_tag


async def _current_version(context: Context) -> str:
    host, role = context.targets.primary_host, context.targets.primary_role
    if host is None or role is None:
        raise KamalError("No host to run on", hint="check --hosts and --roles")
    known = await read_facts(context, [host])
    return known[host].current_version(role) or context.version


async def _note(context: Context, message: str, *, by_role: bool, log_in: bool = False) -> None:
    logins = registry.login_steps(context) if log_in else ()
    tasks = tuple(
        Task(
            host,
            "audit",
            script(logins, *(audit.step(context, message, role if by_role else None) for role in roles)),
        )
        for host in context.targets.app_hosts
        for roles in [context.targets.roles_on(host)]
        if roles
    )
    await execute(Plan("app exec", (Phase("audit", tasks),)), context)


def _suffix() -> str:
    return secrets.token_hex(3)
