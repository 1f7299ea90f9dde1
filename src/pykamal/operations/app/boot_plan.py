"""Plans how a version is put into service on the app hosts (spec/cli.md 13.5)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from pykamal.commands import app, assets, health, proxy, rotation, withdrawal
from pykamal.commands.hooks import POST_APP_BOOT, PRE_APP_BOOT
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_app, of_role
from pykamal.config.models import Role
from pykamal.operations.context import Context
from pykamal.operations.execution import evidence, hooks
from pykamal.operations.execution.plan import Barrier, Phase, Task
from pykamal.operations.hosts import audit
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.secret_env import role_env_steps
from pykamal.operations.proxy import site_files
from pykamal.operations.proxy.users import users_steps

REPLACED: Final = "_replaced_"
"""Stands behind the version in the name of a container that made way for another of the same version."""


def boot_phases(
    context: Context, facts: Mapping[str, HostFacts], version: str, *, rotated: str | None = None
) -> list[Phase]:
    """Preparation, then the boot groups. The caller adds `tag_tasks` once all groups are up.

    `rotated` are names of secrets for which a version that runs boots once more: where that fails, the host is left as
    it was, the env file too, and where it works no old container is left.
    """
    announcement = f"Start container with version {version} (or reboot if already running)..."
    return [
        Phase("prepare", tuple(_preparation(context, facts, version)), (announcement,)),
        *_group_phases(context, facts, version, rotated=rotated),
    ]


def tag_tasks(context: Context, version: str) -> tuple[Task, ...]:
    """Move the latest tag on every app host, once more is known of the new containers than that they were ready."""
    image = context.config.absolute_image(version)
    steps = script(audit.step(context, f"Tagging {image} as the latest image"), tag_step(context, version))
    return tuple(
        task
        for host in context.selection.app_hosts
        for task in (*recheck_tasks(context, host, version), Task(host, "tag image", steps))
    )


def recheck_tasks(context: Context, host: str, version: str) -> Iterator[Task]:
    """See that the containers of a version on a host are still up."""
    config = context.config
    for role in context.selection.roles_on(host):
        container = role.container_name(version)
        still_up = health.still_up(
            container, deploy_timeout=config.deploy_timeout, readiness_delay=config.readiness_delay
        )
        step = Step(f"check {role.name}", still_up, of_role(Action.RECHECK, role))
        yield Task(host, f"check {role.name}", script(step), evidence=evidence.of_container(container, role.proxy))


def tag_step(context: Context, version: str) -> Step:
    return Step("tag image", app.tag_latest(context.config, version), of_app(Action.CHECK_IMAGE))


def stale_tasks(context: Context, facts: Mapping[str, HostFacts]) -> tuple[Task, ...]:
    """Stop running containers of other versions than the current one (spec/cli.md 14.2)."""
    return tuple(
        Task(host, "stop stale containers", script(stop_step(f"stop stale {stale}", role, stale)))
        for host in context.selection.app_hosts
        for role in context.selection.roles_on(host)
        for stale in stale_versions(facts[host], role)
    )


def stop_step(name: str, role: Role, version: str) -> Step:
    return Step(name, app.stop_known(role, version), of_role(Action.STOP, role))


def stale_versions(facts: HostFacts, role: Role) -> tuple[str, ...]:
    current = facts.replaced_version(role)
    return tuple(version for version in facts.live_versions(role) if version != current)


def _preparation(context: Context, facts: Mapping[str, HostFacts], version: str) -> Iterator[Task]:
    """Error pages, users, assets and certificates on all app hosts before the first container starts."""
    config = context.config
    pages, users = site_files.error_page_steps(config, version), users_steps(context)
    for host in context.selection.app_hosts:
        roles = context.selection.roles_on(host)
        steps = [*pages, *(users if any(role.running_proxy for role in roles) else ())]
        for role in roles:
            if role.running_proxy and role.asset_path is not None:
                old = _old_version(facts[host], role, version)
                steps += [
                    Step(f"extract assets of {role.name}", assets.extract(config, role, version)),
                    Step(f"merge assets of {role.name}", assets.synchronize(config, role, version, old)),
                ]
            steps += site_files.certificate_steps(context, role, host)
        if steps:
            yield Task(host, "prepare", script(steps))


def _group_phases(
    context: Context, facts: Mapping[str, HostFacts], version: str, *, rotated: str | None
) -> Iterator[Phase]:
    config = context.config
    hosts = context.selection.app_hosts
    size = config.boot.group_size(len(config.all_hosts)) or max(1, len(hosts))
    groups = [hosts[start : start + size] for start in range(0, len(hosts), size)]
    primary = context.selection.primary_role
    barrier = Barrier(primary.name) if primary is not None else None
    for index, group in enumerate(groups):
        of_group = {"KAMAL_HOSTS": ",".join(group)}
        before = hooks.phase(context, PRE_APP_BOOT, of_group)
        after = hooks.phase(context, POST_APP_BOOT, of_group)
        tasks = [
            task
            for host in group
            for role in context.selection.roles_on(host)
            for task in _role_tasks(
                context, facts[host], role, version, barrier=barrier if index == 0 else None, rotated=rotated
            )
        ]
        number = f" {index + 1} of {len(groups)}" if len(groups) > 1 else ""
        *first, last = (each for each in (before, Phase(f"boot{number}", tuple(tasks)), after) if each is not None)
        yield from (*first, replace(last, pause=config.boot.wait or 0))
        if index < len(groups) - 1:  # the last one is looked at before the image is tagged
            checks = tuple(task for host in group for task in recheck_tasks(context, host, version))
            yield Phase(f"check{number}", checks)


def _role_tasks(
    context: Context, facts: HostFacts, role: Role, version: str, *, barrier: Barrier | None, rotated: str | None
) -> Iterator[Task]:
    """Start the new container and give it the traffic; then let go of the old one."""
    config = context.config
    host = facts.host
    replaced = f"{version}{REPLACED}{secrets.token_hex(8)}" if facts.has_container(role, version) else None
    current = facts.replaced_version(role)
    old = replaced if current == version else current
    leads = role is context.selection.primary_role
    branch = role.name if config.boot.parallel_roles else None
    starting = script(
        Step("keep environment", rotation.keep(config.role_env_file(role))) if rotated is not None else (),
        _renaming(context, role, host, version, replaced) if replaced is not None else (),
        audit.step(context, f"Booted app version {version}", role),
        role_env_steps(context, role, host),
        Step(
            f"start {role.name}",
            app.run(config, role, host, version, hostname_suffix=secrets.token_hex(6)),
            of_role(Action.RUN, role),
        ),
        ready_steps(context, role, version),
    )
    yield Task(
        host,
        f"boot {role.name}",
        starting,
        role=role.name,
        undo=script(_withdrawal(context, role, version, replaced if rotated is not None else None)),
        evidence=evidence.of_container(role.container_name(version), role.proxy),
        opens=barrier if leads else None,
        waits_for=None if leads else barrier,
        branch=branch,
    )
    if old is not None:
        ending = script(
            stop_step(f"stop old {role.name}", role, old),
            _clean_up_steps(context, role, version),
            _forgetting(context, role, rotated, old, replaced) if rotated is not None else (),
        )
        yield Task(host, f"stop old {role.name}", ending, branch=branch)


def _withdrawal(context: Context, role: Role, version: str, replaced: str | None) -> Step:
    """Take back a boot; where the old container is known by its passing name, put it back with its env file."""
    if replaced is None:
        return Step("stop new container", withdrawal.stop_unless_serving(role, version))
    env_file = context.config.role_env_file(role)
    return Step("put old container back", rotation.restore_role(role, version, replaced, env_file))


def _forgetting(context: Context, role: Role, rotated: str, *old: str | None) -> Iterator[Step]:
    """Leave nothing that knows old secrets: neither a container that was replaced nor the copy of the env file."""
    yield audit.step(context, f"Rotated secrets {rotated}", role)
    for version in dict.fromkeys(each for each in old if each is not None and REPLACED in each):
        yield Step("remove old container", rotation.remove_old(role.container_name(version)))
    yield Step("remove old environment", rotation.forget(context.config.role_env_file(role)))


def _renaming(context: Context, role: Role, host: str, version: str, replaced: str) -> Sequence[Step]:
    change = f"Renaming container {version} to {replaced}"
    return (
        replace(audit.step(context, change, role), log=f"{change} as already deployed on {host}"),
        Step("rename container", app.rename(role, version, replaced)),
    )


def ready_steps(context: Context, role: Role, version: str, *, new: bool = True) -> Sequence[Step]:
    """Wait until a container works, and give it the traffic where the role has any."""
    config, container = context.config, role.container_name(version)
    if role.proxy is not None:
        switch = of_role(Action.SWITCH, role, deploy_timeout=config.deploy_timeout)
        return (
            Step("wait for port", health.listening(container, port=role.proxy.app_port)),
            Step(f"switch traffic to {role.name}", proxy.deploy_role(config, role, version, new=new), switch),
        )
    waiting = health.wait(
        container, deploy_timeout=config.deploy_timeout, readiness_delay=config.readiness_delay, new=new
    )
    subject = of_role(Action.WAIT, role, deploy_timeout=config.deploy_timeout)
    return (Step(f"wait for {role.name}", waiting, subject),)


def _clean_up_steps(context: Context, role: Role, version: str) -> Sequence[Step]:
    config = context.config
    steps = []
    if role.running_proxy and role.asset_path is not None:
        steps.append(Step("clean up assets", assets.clean_up(config, role, version)))
    if config.error_pages_path:
        steps.append(Step("clean up error pages", assets.clean_up_error_pages(config, version)))
    return steps


def _old_version(facts: HostFacts, role: Role, version: str) -> str | None:
    current = facts.current_version(role)
    return current if current != version else None
