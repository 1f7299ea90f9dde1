"""Projects that share a host's proxy: who they are, and what a reboot would take from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pykamal.commands import proxy_image
from pykamal.core.errors import KamalError
from pykamal.events import Tone
from pykamal.operations.context import Context
from pykamal.operations.hosts.facts import Container, HostFacts
from pykamal.operations.hosts.proxy_facts import ProxyService
from pykamal.operations.proxy.container_options import Difference
from pykamal.operations.proxy.drift import differences, newer

REBOOT = "`kamal proxy reboot` makes it anew with those, with a brief outage"


def others(context: Context, facts: HostFacts) -> tuple[ProxyService, ...]:
    """The services behind the proxy that are not of this deploy.yml and destination."""
    config = context.config
    own = {role.container_prefix for role in config.roles} | {accessory.service for accessory in config.accessories}
    return tuple(service for service in facts.proxy_facts.services if service.name not in own)


def owner_of(service: ProxyService, facts: HostFacts) -> Container | None:
    """A container behind it, whose labels tell whose it is."""
    return next(filter(None, (facts.container_of(target) for target in service.targets)), None)


def described(service: ProxyService, facts: HostFacts) -> str:
    """The proxy's name for it, and whose containers are behind it, as far as they are there."""
    owner = owner_of(service, facts)
    if owner is None:
        return f"{service.name} (its container is gone)"
    labels = {"service": owner.service, "role": owner.role, "destination": owner.destination}
    shown = ", ".join(f"{name} {value}" for name, value in labels.items() if value)
    return f"{service.name} ({shown})" if shown else f"{service.name} (container {owner.name})"


def warn_of_drift(context: Context, facts: Mapping[str, HostFacts]) -> None:
    """Tell where a proxy does not run as deploy.yml wants it: until a reboot, its settings have no effect.

    A deploy.yml that says nothing of the proxy itself has no opinion about one that it shares.
    """
    by_text: dict[str, list[str]] = {}
    for host in context.selection.proxy_hosts:
        drift = differences(context.config, host, facts[host].proxy_facts)
        shared = others(context, facts[host])
        if not drift or (shared and not _has_opinion(context, host)):
            continue
        names = ", ".join(service.name for service in shared)
        text = f"{'; '.join(map(str, drift))}. {REBOOT}{f', for {names} too' if names else ''}"
        by_text.setdefault(text, []).append(host)
    for text, hosts in by_text.items():
        context.bus.say(f"kamal-proxy of {', '.join(hosts)} does not run as deploy.yml says: {text}", Tone.WARNING)


def _has_opinion(context: Context, host: str) -> bool:
    return context.config.proxy_run_on(host) is not None or proxy_image.is_ours(context.config)


def tell_of_others(context: Context, facts: Mapping[str, HostFacts]) -> None:
    """Name those who share a proxy that is about to be unavailable."""
    for host, each in facts.items():
        shared = [described(service, each) for service in others(context, each)]
        if shared:
            context.bus.say(f"kamal-proxy of {host} also serves {', '.join(shared)}", Tone.WARNING)


def refuse_losses(
    context: Context, facts: Mapping[str, HostFacts], hosts: Sequence[str], *, force: bool = False
) -> None:
    """Before a proxy is replaced: raise `KamalError` where others behind it would lose settings, unless by `force`."""
    lines: list[str] = []
    for host in hosts:
        shared = others(context, facts[host])
        drift = differences(context.config, host, facts[host].proxy_facts)
        losses = [each for each in drift if not (each.name == "image" and newer(each.wanted, each.running))]
        if shared and losses:
            lines.append(f"{host}: behind it too: {', '.join(described(service, facts[host]) for service in shared)}")
            lines += (f"  {text}" for text in _losses(losses, shared))
    if not lines:
        return
    if force:
        for line in lines:
            context.bus.say(line, Tone.WARNING)
        return
    raise KamalError(
        "kamal-proxy serves other projects too, and would not be as they need it any more",
        details=lines,
        hint="give proxy/run and x-pykamal/proxy of deploy.yml the same settings, or let their project reboot it; "
        "`kamal proxy reboot --force` replaces it all the same",
    )


def _losses(losses: Iterable[Difference], shared: Sequence[ProxyService]) -> Iterator[str]:
    for each in losses:
        yield str(each)
        if each.name == "image":
            yield from (
                f"{service.name} is protected by {', '.join(service.protections)}, which that image does not know"
                for service in shared
                if service.protections and upstream(each.wanted)
            )


def upstream(image: str) -> bool:
    """Return True for an image of Ruby Kamal's own proxy, which has no protections."""
    return image.rpartition(":")[0].endswith("basecamp/kamal-proxy")
