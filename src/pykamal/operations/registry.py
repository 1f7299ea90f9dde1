"""Logging in to the registry, here and on the hosts (spec/cli.md 14.9)."""

from __future__ import annotations

from pykamal.commands import registry as commands
from pykamal.commands.script import Step, script
from pykamal.config.models import Credential, Registry
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.operations.context import Context
from pykamal.operations.executor import execute
from pykamal.operations.plan import LOCAL, Phase, Plan, Task


def login_steps(context: Context, registry: Registry | None = None, *, anew: bool = False) -> tuple[Step, ...]:
    """The login step, or nothing for a local registry, which needs none; `anew` even where it is logged in already.

    Raises `SecretNotFound`.
    """
    registry = registry if registry is not None else context.config.registry
    if registry.local or registry.username is None or registry.password is None:
        return ()
    build = commands.login if anew else commands.ensure_login
    username, password = (_resolved(context, value) for value in (registry.username, registry.password))
    return (Step("registry login", build(registry.server, username, password)),)


def _resolved(context: Context, credential: Credential) -> Sensitive:
    if credential.secret is not None:
        return context.secrets[credential.secret]
    return Sensitive(credential.literal or "")


async def login(context: Context, *, skip_local: bool = False, skip_remote: bool = False) -> None:
    """`kamal registry login`: on this machine and on all selected hosts."""
    if context.config.registry.local:
        raise KamalError("Cannot use login command with a local registry. Use `kamal registry setup` instead.")
    steps = login_steps(context, anew=True)
    tasks = _everywhere(context, steps, skip_local=skip_local, skip_remote=skip_remote)
    await execute(Plan("registry login", (Phase("registry login", tasks),)), context)


async def logout(context: Context, *, skip_local: bool = False, skip_remote: bool = False) -> None:
    """`kamal registry logout`: on this machine and on all selected hosts."""
    if context.config.registry.local:
        raise KamalError("Cannot use logout command with a local registry. Use `kamal registry remove` instead.")
    steps = logout_steps(context)
    tasks = _everywhere(context, steps, skip_local=skip_local, skip_remote=skip_remote)
    await execute(Plan("registry logout", (Phase("registry logout", tasks),)), context)


def logout_steps(context: Context) -> tuple[Step, ...]:
    registry = context.config.registry
    return () if registry.local else (Step("registry logout", commands.logout(registry.server)),)


def _everywhere(context: Context, steps: tuple[Step, ...], *, skip_local: bool, skip_remote: bool) -> tuple[Task, ...]:
    hosts = [*([] if skip_local else [LOCAL]), *([] if skip_remote else context.targets.hosts)]
    return tuple(Task(host, steps[0].name, script(*steps)) for host in hosts if steps)
