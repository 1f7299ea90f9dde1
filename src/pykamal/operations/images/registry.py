"""Logs in to the image registry, or runs one on this machine (spec/cli.md 14.9)."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.commands import registry as commands
from pykamal.commands.script import Step, script
from pykamal.commands.subject import of_local_registry, of_registry
from pykamal.config.models import Accessory, Credential, Registry
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import LOCAL, Phase, Plan, Task
from pykamal.operations.images.builders import require_docker

# -- steps for other flows


def login_steps(
    context: Context, registry: Registry | None = None, *, setting: str = "registry", anew: bool = False
) -> tuple[Step, ...]:
    """The login step, or nothing for a local registry, which needs none; `anew` even where it is logged in already.

    `setting` is where deploy.yml describes a `registry` that is not the root's. Raises `SecretNotFound`.
    """
    registry = registry if registry is not None else context.config.registry
    if registry.local or registry.username is None or registry.password is None:
        return ()
    build = commands.login if anew else commands.ensure_login
    username, password = (_resolved(context, value) for value in (registry.username, registry.password))
    return (Step("registry login", build(registry.server, username, password), of_registry(setting)),)


def accessory_login_steps(context: Context, accessory: Accessory) -> tuple[Step, ...]:
    """The login to an accessory's own registry, else to the root's. Raises `SecretNotFound`."""
    if accessory.registry is None:
        return login_steps(context)
    return login_steps(context, accessory.registry, setting=f"accessories/{accessory.name}/registry")


def start_steps(context: Context) -> tuple[Step, ...]:
    """Start the local registry; nothing for one that runs elsewhere."""
    port = context.config.registry.local_port
    return () if port is None else (Step("start registry", commands.start_local(port), of_local_registry()),)


def _resolved(context: Context, credential: Credential) -> Sensitive:
    if credential.secret is not None:
        return context.secrets[credential.secret]
    return Sensitive(credential.literal or "")


# -- the commands


async def setup(context: Context, *, skip_local: bool = False, skip_remote: bool = False) -> None:
    """`kamal registry setup`: log in on this machine, then on the selected hosts; or start the local registry."""
    if not skip_local:
        await require_docker(context)
    logins = login_steps(context, anew=True)
    here = logins or start_steps(context)
    await _everywhere(context, "registry setup", () if skip_local else here, () if skip_remote else logins)


async def remove(context: Context, *, skip_local: bool = False, skip_remote: bool = False) -> None:
    """`kamal registry remove`: log out here and on the selected hosts; or remove the local registry."""
    registry = context.config.registry
    if registry.local and not skip_local:
        await require_docker(context)
    logouts = () if registry.local else (Step("registry logout", commands.logout(registry.server)),)
    here = logouts or (Step("remove registry", commands.remove_local()),)
    await _everywhere(context, "registry remove", () if skip_local else here, () if skip_remote else logouts)


async def login(context: Context, *, skip_local: bool = False, skip_remote: bool = False) -> None:
    """`kamal registry login`: `setup` of a registry that one logs in to. Raises `KamalError` for a local one."""
    if context.config.registry.local:
        raise KamalError("Cannot use login command with a local registry. Use `kamal registry setup` instead.")
    await setup(context, skip_local=skip_local, skip_remote=skip_remote)


async def logout(context: Context, *, skip_local: bool = False, skip_remote: bool = False) -> None:
    """`kamal registry logout`: `remove` of a registry that one logs in to. Raises `KamalError` for a local one."""
    if context.config.registry.local:
        raise KamalError("Cannot use logout command with a local registry. Use `kamal registry remove` instead.")
    await remove(context, skip_local=skip_local, skip_remote=skip_remote)


async def _everywhere(context: Context, operation: str, local: Sequence[Step], remote: Sequence[Step]) -> None:
    """This machine first: what is wrong with the credentials shows before any host is asked."""
    places = [([LOCAL], local), (context.selection.hosts, remote)]
    phases = [
        Phase(operation, tuple(Task(host, steps[0].name, script(steps)) for host in hosts))
        for hosts, steps in places
        if steps
    ]
    await context.execute(Plan(operation, tuple(phases)))
