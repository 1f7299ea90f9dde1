"""Running something in an accessory's containers (spec/cli.md 14.8)."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.commands import accessory as commands
from pykamal.commands import secret_delivery
from pykamal.commands.command import Command
from pykamal.commands.processes import by_login_shell
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_accessory
from pykamal.config.models import Accessory
from pykamal.operations.accessory.lifecycle import single
from pykamal.operations.context import Context
from pykamal.operations.hosts import audit
from pykamal.operations.hosts.one_off import name_suffix, removed_when_interrupted
from pykamal.operations.hosts.reading import run_on, show_steps
from pykamal.operations.hosts.secret_env import accessory_env_steps
from pykamal.operations.images import registry
from pykamal.operations.local.terminal import interactive_flags, require_command


async def exec_(context: Context, *, name: str, command: str, reuse: bool = False, raw: bool = False) -> None:
    """Run a command line in a new container of the accessory's image, or with `reuse` in the running one."""
    accessory = single(context, name)
    require_command(command)
    await context.fleet.before_connecting()
    context.bus.say(f"Launching command from {_place(reuse)} container...")
    suffix = name_suffix()

    def steps_for(_: str) -> Sequence[Step]:
        note = audit.step(context, f"Executed cmd '{command}' on {accessory.name} accessory")
        line = (
            commands.exec_existing(accessory, command)
            if reuse
            else commands.exec_new(context.config, accessory, command, suffix=suffix)
        )
        run = by_login_shell(line)
        if not reuse:
            run = secret_delivery.opened(context.config, context.config.accessory_env_file(accessory), run)
        executing = Step("", run, of_accessory(Action.EXECUTE, accessory))
        return *(() if reuse else _preparation(context, accessory)), note, executing

    def removals_on(_: str) -> Sequence[Command]:
        return () if reuse else (commands.remove_exec(accessory, suffix),)

    hosts = context.selection.hosts_of(accessory)
    async with removed_when_interrupted(context, hosts, removals_on):
        await show_steps(context, hosts, steps_for, verbatim=True, raw=raw)


async def interactive(context: Context, *, name: str, command: str, reuse: bool = False) -> tuple[str, Command]:
    """The host and the command to run in the operator's terminal."""
    accessory = single(context, name)
    require_command(command)
    host = chosen_host(context, accessory)
    await context.fleet.before_connecting()
    context.bus.say(f"Launching interactive command via SSH from {_place(reuse)} container...")
    terminal = interactive_flags()
    if reuse:
        return host, commands.exec_existing(accessory, command, interactive=terminal)
    await run_on(context, host, script(_preparation(context, accessory)))
    line = commands.exec_new(context.config, accessory, command, suffix=name_suffix(), interactive=terminal)
    return host, secret_delivery.opened_by_login(context.config, context.config.accessory_env_file(accessory), line)


def chosen_host(context: Context, accessory: Accessory) -> str:
    """The host of an accessory that a terminal is for: the first of its own that is selected."""
    return context.selection.hosts_of(accessory)[0]


def _preparation(context: Context, accessory: Accessory) -> tuple[Step, ...]:
    """The steps before a new container: a login to the accessory's registry (spec/cli.md 22, 18), current secrets."""
    return (*registry.accessory_login_steps(context, accessory), *accessory_env_steps(context, accessory))


def _place(reuse: bool) -> str:
    return "existing" if reuse else "new"
