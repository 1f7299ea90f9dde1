"""Plans how the proxy is booted and rebooted on a host (spec/cli.md 14.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pykamal.commands import docker, proxy, proxy_files, proxy_image, proxy_switch
from pykamal.commands.hooks import POST_PROXY_REBOOT, PRE_PROXY_REBOOT
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_proxy
from pykamal.config.models.proxy import MINIMUM_PROXY_VERSION
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.execution import evidence, hooks
from pykamal.operations.execution.plan import Phase, Task
from pykamal.operations.hosts import audit
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.images import registry


def boot_tasks(context: Context, facts: Mapping[str, HostFacts], *, log_in: bool) -> tuple[Task, ...]:
    """The network on every selected host, the proxy on those that need it; nothing where it runs already.

    Raises `KamalError` when a proxy is too old to be driven.
    """
    hosts = context.selection.proxy_hosts
    for host in hosts:
        if outdated(facts[host]):
            raise too_old(host, facts[host])
    return tuple(
        Task(
            host,
            "ensure kamal-proxy is running" if host in hosts else "ensure network",
            script(steps),
            evidence=evidence.of_container(proxy.CONTAINER),
        )
        for host in context.selection.hosts
        if not (host in hosts and facts[host].proxy_running)
        for steps in [_steps(context, host, proxied=host in hosts, log_in=log_in)]
    )


def _steps(context: Context, host: str, *, proxied: bool, log_in: bool) -> Sequence[Step]:
    network = Step("ensure network", docker.create_network())
    if not proxied:
        return (network,)
    return (
        network,
        *(registry.login_steps(context) if log_in else ()),
        Step("make proxy directory", proxy.make_apps_directory()),
        *_own_steps(context, host),
        Step("open private files", proxy_files.open_to_any_proxy()),
        Step("start proxy", proxy.start_or_run(context.config, host), of_proxy(Action.RUN)),
        Step("wait for proxy", proxy_switch.wait(), of_proxy(Action.WAIT)),
        Step("close private files", proxy_files.grant_all()),
    )


def _own_steps(context: Context, host: str) -> tuple[Step, ...]:
    """The steps of our proxy before its container is made."""
    if not proxy_image.is_ours(context.config):
        return ()
    return (
        Step(
            "get proxy image",
            proxy_switch.unless_made(proxy_image.ensure(context.config, host)),
            of_proxy(Action.PULL),
        ),
        Step("claim proxy state", proxy_switch.claim_state(context.config, host)),
    )


def reboot_phases(context: Context, hosts: Sequence[str]) -> tuple[Phase, ...]:
    """A new proxy container with the current settings on each of these hosts, between the hooks for it."""
    before, after = hook_phases(context, hosts)
    return (
        *before,
        Phase("proxy reboot", tuple(task for host in hosts for task in _reboot_tasks(context, host))),
        *after,
    )


def _reboot_tasks(context: Context, host: str) -> tuple[Task, Task]:
    """The same outcome as Ruby Kamal's stop, prune and run, with all but stop and start outside of the outage."""
    config = context.config
    prepare = script(
        audit.step(context, "Rebooted proxy"),
        registry.login_steps(context),
        Step("make proxy directory", proxy.make_apps_directory()),
        Step("get proxy image", proxy_image.ensure(config, host), of_proxy(Action.PULL)),
    )
    switch = script(
        Step("clear interrupted reboot", proxy_switch.clear()),
        Step("share proxy state", proxy_switch.share_state(config, host)),
        Step("open private files", proxy_files.open_to_any_proxy()),
        Step("make new proxy", proxy_switch.make(config, host), of_proxy(Action.RUN)),
        Step("switch proxies", proxy_switch.switch(), of_proxy(Action.START)),
        Step("wait for new proxy", proxy_switch.wait(), of_proxy(Action.WAIT)),
        Step("give proxy its state", proxy_switch.own_state(config, host)),
        Step("close private files", proxy_files.grant_all()),
        Step("remove old proxy", proxy_switch.remove_replaced()),
        Step("remove proxy containers", proxy.remove_container()),
    )
    undo = script(
        Step("put old proxy back", proxy_switch.put_back()), Step("close private files", proxy_files.grant_all())
    )
    state = evidence.of_container(proxy.CONTAINER)
    return Task(host, "prepare proxy", prepare), Task(host, "reboot proxy", switch, undo=undo, evidence=state)


def hook_phases(context: Context, hosts: Sequence[str]) -> tuple[tuple[Phase, ...], tuple[Phase, ...]]:
    """The hooks before and after a proxy is replaced, where there are such (spec/cli.md 9.2)."""
    of_group = {"KAMAL_HOSTS": ",".join(hosts)}
    before = hooks.phase(context, PRE_PROXY_REBOOT, of_group)
    after = hooks.phase(context, POST_PROXY_REBOOT, of_group)
    return (before,) if before else (), (after,) if after else ()


def too_old(host: str, facts: HostFacts) -> KamalError:
    """The error of a proxy that is outdated."""
    return KamalError(
        f"kamal-proxy version {facts.proxy_version} is too old, run `kamal proxy reboot` in order to update to at "
        f"least {MINIMUM_PROXY_VERSION}",
        host=host,
        hint="a reboot interrupts the host's traffic for a moment; --upgrade-proxy does it as part of this command",
    )


def outdated(facts: HostFacts) -> bool:
    """True if a proxy is older than the protocol needs; a tag that is no version is trusted (spec/cli.md 22, 15)."""
    parsed = parsed_version(facts.proxy_version or "")
    minimum = parsed_version(MINIMUM_PROXY_VERSION)
    return parsed is not None and minimum is not None and parsed < minimum


def parsed_version(version: str) -> tuple[tuple[int, ...], bool] | None:
    """Numbers of a version and whether it is a release: a pre-release sorts before it."""
    match = re.fullmatch(r"v?([0-9]{1,9}(?:\.[0-9]{1,9})*)((?:[.-][0-9A-Za-z]+)*)", version)
    if match is None:
        return None
    return tuple(int(part) for part in match[1].split(".")), not match[2]
