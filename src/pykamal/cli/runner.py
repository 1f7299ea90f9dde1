"""Runs a flow of `operations` for a command line: reads the configuration, opens a context, starts asyncio once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from pykamal.cli.exec_ssh import become_ssh, follow_by_ssh
from pykamal.cli.invocation import Invocation
from pykamal.cli.loading import Loaded, load
from pykamal.cli.prompt import NOT_CONFIRMED, asker, confirmed
from pykamal.cli.run_logs import recorded
from pykamal.cli.table import command_row
from pykamal.cli.table.row import CommandRow, Effect
from pykamal.commands.command import Command
from pykamal.config.models import Config
from pykamal.config.secret_names import names_secrets
from pykamal.core.errors import UsageError
from pykamal.core.sensitive import Sensitive
from pykamal.events import Level, RunStarted, Tone
from pykamal.operations.context import Context, Settings
from pykamal.operations.execution.executor import ActingExecutor
from pykamal.operations.execution.printing import show
from pykamal.operations.execution.recording import RecordingExecutor
from pykamal.operations.local.local_context import short_version
from pykamal.operations.run import key_texts, run_context
from pykamal.operations.selection import Selection, select
from pykamal.transport.signals import run_until_done

Flow = Callable[[Context], Awaitable[None]]
TerminalCommand = tuple[str, Command]
"""A host and what is to run on it, in the user's terminal."""


def run_flow(row: CommandRow, invocation: Invocation) -> int:
    """Run the flow of a row with the arguments and options of the command line, after the row's question."""
    if row.question and not confirmed(invocation, row.question):
        return NOT_CONFIRMED
    flow = row.function()
    given = {**row.named(invocation.arguments), **invocation.own(*row.flow_options)}
    return operate(invocation, lambda context: flow(context, **given), connects=row.connects)


def operate(invocation: Invocation, flow: Flow, *, connects: bool = True, loaded: Loaded | None = None) -> int:
    """Run a flow for a command line and return 0. Raises whatever the configuration or the operation raises.

    With `connects` the selected hosts are being connected to while the flow begins. `loaded` is the configuration
    where it was needed before, for a question.
    """
    loaded = loaded or load(invocation)
    with recorded(invocation, loaded.config):
        run_until_done(
            _run(invocation, loaded, flow, connects=connects), on_stop=lambda _: _tell_of_stopping(invocation)
        )
    return 0


Choose = Callable[[Context], TerminalCommand | Awaitable[TerminalCommand]]


def in_terminal(invocation: Invocation, choose: Choose) -> int:
    """Prepare an interactive command, then become the `ssh` that carries it, with its exit status.

    Raises `UsageError` with `--output json`, and whatever the preparation raises.
    """
    config, host, command, keys = _chosen(invocation, choose)
    become_ssh(config, host, command, invocation.bus, key_data=keys)


def follow(invocation: Invocation, choose: Choose) -> int:
    """Prepare a command that follows logs, show what it prints and return its exit status. Raises as `in_terminal`."""
    config, host, command, keys = _chosen(invocation, choose)
    return follow_by_ssh(config, host, command, invocation.bus, key_data=keys)


def _chosen(invocation: Invocation, choose: Choose) -> tuple[Config, str, Command, list[Sensitive]]:
    if invocation.json:
        raise UsageError(f"kamal {invocation.command} cannot write JSON while the terminal is another program's")
    loaded = load(invocation)
    chosen: list[TerminalCommand] = []

    async def flow(context: Context) -> None:
        choice = choose(context)
        chosen.append(choice if isinstance(choice, tuple) else await choice)

    run_until_done(_run(invocation, loaded, flow, connects=False))
    host, command = chosen[0]
    return loaded.config, host, command, key_texts(loaded.config, loaded.secrets)


async def _run(invocation: Invocation, loaded: Loaded, flow: Flow, *, connects: bool) -> None:
    recording = RecordingExecutor() if invocation.options.get("plan") else None
    reads_secrets = command_row(invocation.command).reads_secrets(invocation.arguments, invocation.options)
    opening = run_context(
        loaded.config,
        settings_of(invocation),
        invocation.bus,
        loaded.secrets,
        operation=invocation.command,
        executor=recording or ActingExecutor(),
        connects=connects and not _searches_first(invocation, loaded.config),
        reads_secrets=reads_secrets and names_secrets(loaded.config),
        ask=asker(invocation),
    )
    async with opening as context:
        invocation.bus.emit(_started(invocation, context))
        # Reading the remarks refuses a selection of nothing, whatever the command does with it.
        for text in context.selection.remarks:
            context.bus.log(text, Level.WARN)
        await flow(context)
    if recording is not None:
        show(invocation.bus, recording.plan(invocation.command))
    if invocation.effect is Effect.DEPLOYS:
        from pykamal.operations.local.deployed_versions import remember

        remember(context.config.service, context.config.destination, context.version)


_SEARCHES_FIRST: Final = ("setup", "deploy", "redeploy", "build deliver")


def _searches_first(invocation: Invocation, config: Config) -> bool:
    """Return True where a search for leaked secrets may refuse the command, before any host is connected to."""
    return config.extension.secrets.guard and invocation.command in _SEARCHES_FIRST


def _tell_of_stopping(invocation: Invocation) -> None:
    text = "Stopping: taking back what was begun. A second Ctrl-C ends at once."
    invocation.bus.say(text, Tone.WARNING)


def _started(invocation: Invocation, context: Context) -> RunStarted:
    service, local_context = context.config.service, context.local_context
    version = context.settings.version or local_context.environment_version or local_context.revision
    return RunStarted(
        operation=invocation.command,
        service=service,
        destination=context.config.destination,
        version=version,
        service_version=f"{service}@{short_version(version)}" if version else None,
        performer=local_context.performer,
    )


def selected(invocation: Invocation, config: Config) -> Selection:
    """Return the hosts and roles of a command line, for a question before the run. Raises `SelectionError`."""
    settings = settings_of(invocation)
    return select(config, hosts=settings.hosts, roles=settings.roles, primary=settings.primary)


def settings_of(invocation: Invocation) -> Settings:
    options = invocation.options
    return Settings(
        version=options["version"],
        hosts=options["hosts"],
        roles=options["roles"],
        primary=options["primary"],
        skip_hooks=options["skip_hooks"],
        lock_wait=options["lock_wait"],
        lock_wait_timeout=options["lock_wait_timeout"],
        lock_wait_interval=options["lock_wait_interval"],
        verbosity=invocation.verbosity,
        upgrade_proxy=options.get("upgrade_proxy", False),
        config_file=options["config_file"],
        destination=options["destination"],
    )
