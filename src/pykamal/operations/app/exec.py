"""Runs command lines in the application's containers (spec/cli.md 14.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from pykamal.commands import app as commands
from pykamal.commands import exec_env, secret_delivery
from pykamal.commands.command import Command
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_role
from pykamal.config.models import Role
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.hosts import audit
from pykamal.operations.hosts.one_off import name_suffix, removed_when_interrupted
from pykamal.operations.hosts.reading import read_facts, run_on, show_steps
from pykamal.operations.hosts.secret_env import role_env_steps
from pykamal.operations.images import registry
from pykamal.operations.local.terminal import interactive_flags, require_command

UNREAD_SECONDS: Final = 600
"""How long a file of variables may wait for the terminal's `ssh`, which may ask its user for something first."""


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
    require_command(command)
    await context.fleet.before_connecting()
    if reuse:
        await _exec_existing(context, command, env=env or {}, raw=raw)
    else:
        await _exec_new(context, command, env=env or {}, detach=detach, raw=raw)


async def _exec_existing(context: Context, command: str, *, env: Mapping[str, str], raw: bool) -> None:
    current = await _current_version(context)
    context.bus.say(f"Launching command with version {current} from existing container...")
    message = f"Executed cmd '{command}' on app version {current}"

    def steps_for(host: str) -> Sequence[Step]:
        return [
            step
            for role in context.selection.roles_on(host)
            for step in (
                audit.step(context, message, role),
                _executing(commands.exec_existing(role, current, command, env=env), env, role),
            )
        ]

    await show_steps(context, context.selection.app_hosts, steps_for, verbatim=True, raw=raw)


async def _exec_new(context: Context, command: str, *, env: Mapping[str, str], detach: bool, raw: bool) -> None:
    wanted = _image_version(context)
    context.bus.say(f"Launching command with version {wanted} from new container...")
    message = f"Executed cmd '{command}' on app version {wanted}"
    suffix = name_suffix()

    def steps_for(host: str) -> Sequence[Step]:
        roles = context.selection.roles_on(host)
        steps = list(registry.login_steps(context)) if roles else []
        for role in roles:
            line = commands.exec_new(context.config, role, host, wanted, command, suffix=suffix, env=env, detach=detach)
            executing = _executing(line, env, role)
            reading = secret_delivery.opened(context.config, context.config.role_env_file(role), executing.command)
            note = audit.step(context, message)
            steps += [*role_env_steps(context, role, host), note, replace(executing, command=reading)]
        return steps

    def removals_on(host: str) -> Iterable[Command]:
        return (commands.remove_exec(role, wanted, suffix) for role in context.selection.roles_on(host))

    hosts = context.selection.app_hosts
    async with removed_when_interrupted(context, hosts, removals_on):
        await show_steps(context, hosts, steps_for, verbatim=True, raw=raw)


async def interactive(
    context: Context, *, command: str, reuse: bool = False, env: Mapping[str, str] | None = None
) -> tuple[str, Command]:
    """The host and the command to run in the operator's terminal, on the primary host."""
    require_command(command)
    await context.fleet.before_connecting()
    host, role = _primary(context)
    terminal, suffix, env = interactive_flags(), name_suffix(), env or {}
    steps: list[Step] = []
    if reuse:
        wanted = await _current_version(context)
        line = commands.exec_existing(role, wanted, command, env=env, interactive=terminal)
    else:
        wanted = _image_version(context)
        steps += [*registry.login_steps(context), *role_env_steps(context, role, host)]
        line = commands.exec_new(
            context.config, role, host, wanted, command, suffix=suffix, env=env, interactive=terminal
        )
        line = secret_delivery.opened_by_login(context.config, context.config.role_env_file(role), line)
    if exec_env.has_values(env):
        path = f"{context.config.app_directory}/env/exec-{suffix}"
        steps += _env_file_steps(context, path, env)
        line = exec_env.from_file(path, line)
    if steps:
        await run_on(context, host, script(steps))
    place = "existing" if reuse else "new"
    context.bus.say(f"Launching interactive command with version {wanted} via SSH from {place} container on {host}...")
    return host, line


def _executing(line: Command, env: Mapping[str, str], role: Role) -> Step:
    return Step("", exec_env.from_stdin(env, line), of_role(Action.EXECUTE, role))


def _env_file_steps(context: Context, path: str, env: Mapping[str, str]) -> tuple[Step, ...]:
    return (
        Step("make environment directory", secret_delivery.prepare(context.config, path.rpartition("/")[0])),
        Step("remove environment later", exec_env.remove_later(path, seconds=UNREAD_SECONDS)),
        Step("write environment", exec_env.write(path, env)),
    )


def _image_version(context: Context) -> str:
    if context.settings.version is not None:
        return context.settings.version
    context.bus.say("Get most recent version available as an image...")
    return context.config.latest_tag


async def _current_version(context: Context) -> str:
    """The version that was asked for, else the one that runs on the primary host, else the one in effect."""
    if context.settings.version is not None:
        return context.settings.version
    context.bus.say("Get current version of running container...")
    host, role = _primary(context)
    facts = await read_facts(context, [host])
    return facts[host].current_version(role) or context.version


def _primary(context: Context) -> tuple[str, Role]:
    host, role = context.selection.primary_host, context.selection.primary_role
    if host is None or role is None:
        raise KamalError("No host to run on", hint="check --hosts and --roles")
    return host, role
