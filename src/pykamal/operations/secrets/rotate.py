"""Brings the new values of secrets to every container that uses them, by a rolling reboot of what runs."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pykamal.commands import accessory as commands
from pykamal.commands import health, rotation
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_accessory
from pykamal.config.models import Accessory, Config, Registry, Role
from pykamal.config.secret_names import accessory_secret_names, app_secret_names, credential_names, key_secret_names
from pykamal.core.errors import KamalError
from pykamal.core.spelling import nearest
from pykamal.events import Tone
from pykamal.operations.accessory.lifecycle import switch_steps
from pykamal.operations.app.boot_plan import REPLACED, boot_phases, recheck_tasks
from pykamal.operations.context import Context
from pykamal.operations.deploy import announced
from pykamal.operations.execution import evidence
from pykamal.operations.execution.plan import LOCAL, Phase, Plan, Task
from pykamal.operations.hosts import audit
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.reading import deploy_lock, read_facts
from pykamal.operations.hosts.secret_env import accessory_env_steps
from pykamal.operations.images import registry
from pykamal.operations.proxy.conflicts import refuse_conflicts


@dataclass(frozen=True, slots=True)
class _Users:
    """The parts of the configuration that use some secrets."""

    roles: tuple[Role, ...]
    accessories: tuple[Accessory, ...]
    registries: tuple[tuple[Registry, str, Accessory | None], ...]
    builds: bool
    connects: bool


async def rotate(context: Context, *, names: Sequence[str]) -> None:
    """Reboot what uses the secrets, host by host: accessories first, then the version of the app that runs.

    Where a new container does not work, the old one and its secrets are put back and the hosts that follow keep theirs.
    Raises `KamalError` for a name that the configuration has not, and for a value that cannot be fetched, before any
    host is asked.
    """
    users = _users(context, names)
    for name in names:
        context.secrets[name]
    what = ", ".join(names)
    async with context.executor.around(announced(context), None), deploy_lock(context, proxy=True) as given:
        facts = await read_facts(context, context.selection.hosts, given, proxy=True)
        refuse_conflicts(context, facts, accessories=users.accessories)
        rolling = _one_by_one(context)
        phases = [
            *_login_phases(context, users),
            *(phase for each in users.accessories for phase in _accessory_phases(rolling, facts, each, what)),
            *_role_phases(rolling, facts, users.roles, what),
        ]
        if not phases and not users.builds and not users.connects:
            context.bus.say(f"Nothing that runs uses {what}", Tone.WARNING)
        await context.execute(Plan("secrets rotate", tuple(phases)))
    if users.builds:
        context.bus.say("The next build uses the new value: nothing on the hosts has it")
    if users.connects:
        context.bus.say("The next connection over SSH uses the new key: nothing on the hosts has it")


def _one_by_one(context: Context) -> Context:
    """The same run with one host after another, unless `boot/limit` has another pace."""
    boot = context.config.boot
    if boot.limit is not None:
        return context
    return replace(context, config=replace(context.config, boot=replace(boot, limit=1)))


# -- who uses a secret


def _users(context: Context, names: Sequence[str]) -> _Users:
    config, selection = context.config, context.selection
    wanted = set(names)
    known = {*app_secret_names(config, config.roles, builds=True), *accessory_secret_names(config.accessories)}
    known.update(key_secret_names(config))
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise KamalError(
                f"deploy.yml names no secret {name}",
                hint=f"did you mean {near}?" if near is not None else f"it names {', '.join(sorted(known)) or 'none'}",
            )
    return _Users(
        roles=tuple(role for role in selection.roles if wanted & set(_of_role(config, role))),
        accessories=tuple(
            each
            for each in config.accessories
            if selection.hosts_of(each) and wanted & {reference.secret for reference in each.env.secret_references}
        ),
        registries=tuple(_registries(config, wanted)),
        builds=bool(wanted & set(config.builder.secrets)),
        connects=bool(wanted & set(key_secret_names(config))),
    )


def _of_role(config: Config, role: Role) -> Iterator[str]:
    without_registry = replace(config, registry=Registry())
    yield from app_secret_names(without_registry, [role], builds=False)


def _registries(config: Config, wanted: set[str]) -> Iterator[tuple[Registry, str, Accessory | None]]:
    if wanted & set(credential_names(config.registry)):
        yield config.registry, "registry", None
    for each in config.accessories:
        if each.registry is not None and wanted & set(credential_names(each.registry)):
            yield each.registry, f"accessories/{each.name}/registry", each


def _login_phases(context: Context, users: _Users) -> Iterator[Phase]:
    """Log in anew, on this machine first for the registry of the app."""
    selection = context.selection
    for of, setting, accessory in users.registries:
        steps = script(registry.login_steps(context, of, setting=setting, anew=True))
        hosts = selection.hosts if accessory is None else selection.hosts_of(accessory)
        if accessory is None:
            yield Phase("registry login", (Task(LOCAL, "registry login", steps),))
        yield Phase(f"log in to {setting}", tuple(Task(host, "registry login", steps) for host in hosts))


# -- roles


def _role_phases(context: Context, facts: Mapping[str, HostFacts], roles: Sequence[Role], what: str) -> Iterator[Phase]:
    """Boot the version that runs once more, for the hosts of each version and each set of roles."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for host in context.selection.app_hosts:
        running: dict[str, list[str]] = defaultdict(list)
        for role in roles:
            if host in role.host_names:
                version = facts[host].current_version(role)
                if version is None:
                    context.bus.say(
                        f"{role.name} does not run on {host}: its next boot uses the new value", Tone.WARNING
                    )
                else:
                    running[version.partition(REPLACED)[0]].append(role.name)
        for version, names in running.items():
            groups[version, tuple(names)].append(host)
    for (version, booted), hosts in groups.items():
        part = replace(context.on(hosts, booted), version_override=version)
        yield from boot_phases(part, facts, version, rotated=what)
        yield Phase("check", tuple(task for host in hosts for task in recheck_tasks(part, host, version)))


# -- accessories


def _accessory_phases(
    context: Context, facts: Mapping[str, HostFacts], accessory: Accessory, what: str
) -> Iterator[Phase]:
    """Replace the container on one host after another; it is away while the new one starts."""
    for host in context.selection.hosts_of(accessory):
        if any(each.name == accessory.service and each.running for each in facts[host].containers):
            tasks = tuple(_accessory_tasks(context, accessory, host, what))
            yield Phase(f"reboot {accessory.name}", tasks, (f"Reboot {accessory.name} on {host}...",))
        else:
            text = f"{accessory.name} does not run on {host}: its next reboot uses the new value"
            context.bus.say(text, Tone.WARNING)


def _accessory_tasks(context: Context, accessory: Accessory, host: str, what: str) -> Iterator[Task]:
    config, env_file = context.config, context.config.accessory_env_file(accessory)
    replaced = f"{accessory.service}{REPLACED}{secrets.token_hex(8)}"
    waiting = health.wait_steady(accessory.service, deploy_timeout=config.deploy_timeout)
    about = of_accessory(Action.WAIT, accessory, deploy_timeout=config.deploy_timeout)
    yield Task(
        host,
        f"reboot {accessory.name}",
        script(
            Step("keep environment", rotation.keep(env_file)),
            Step(f"stop {accessory.name}", commands.stop(accessory), of_accessory(Action.STOP, accessory)),
            Step("rename container", rotation.rename_accessory(accessory, replaced)),
            accessory_env_steps(context, accessory),  # behind the passing name, by which it is known to be taken back
            Step(f"run {accessory.name}", commands.run(config, accessory, host), of_accessory(Action.RUN, accessory)),
            switch_steps(context, accessory),
            Step(f"wait for {accessory.name}", waiting, about),
        ),
        undo=script(
            Step("put old container back", rotation.restore_accessory(accessory, replaced, env_file)),
            switch_steps(context, accessory, new=False),
        ),
        evidence=evidence.of_container(accessory.service, accessory.proxy),
    )
    forgetting = script(
        audit.step(context, f"Rotated secrets {what} of {accessory.name} accessory"),
        Step("remove old container", rotation.remove_old(replaced)),
        Step("remove old environment", rotation.forget(env_file)),
    )
    yield Task(host, f"remove old {accessory.name}", forgetting)
