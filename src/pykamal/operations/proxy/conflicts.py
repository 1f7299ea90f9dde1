"""Checks routes, TLS and protections against a host's proxy before a boot (spec/proxy.md 3.3, 5, 7.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pykamal.commands import proxy_flags
from pykamal.config.models import Accessory, Proxy
from pykamal.core.catalogue.hosts import NAME_TAKEN, ROUTE_TAKEN, TLS_BELOW_PATH, TLS_FOR_WILDCARD
from pykamal.core.catalogue.settings import NEEDS_PYKAMAL_PROXY
from pykamal.core.diagnostics import Diagnostic, Location
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.proxy_facts import ProxyService, normal_host, normal_path
from pykamal.operations.proxy.boot_plan import outdated
from pykamal.operations.proxy.shared import described, owner_of, upstream

_ROUTES: Final = (
    "give one of them another proxy/host or proxy/path_prefix; what is left over of a service goes away with "
    "`kamal server exec docker exec kamal-proxy kamal-proxy remove NAME`"
)
_NAMES: Final = (
    "service, role and destination make the name in the proxy, whichever part the words are in: rename one of them"
)
_PATH_TLS: Final = (
    "leave proxy/ssl out here: a service below a path is served with the TLS of the one that answers / of its host"
)
_WILDCARD: Final = "give certificate_pem and private_key_pem for names with *"
_REBOOT: Final = "`kamal proxy reboot` makes the proxy pykamal's, which x-pykamal/proxy needs"


@dataclass(frozen=True, slots=True)
class _WantedService:
    """A service that the proxy is going to have; `setting` is its place in deploy.yml.

    `labels` are service, role and destination of its containers.
    """

    service: ProxyService
    labels: tuple[str, str, str]
    settings: Proxy
    setting: str


def refuse_conflicts(
    context: Context, facts: Mapping[str, HostFacts], *, accessories: Iterable[Accessory] = (), roles: bool = True
) -> None:
    """Raise `KamalError` for routes and TLS that the proxies of the selected hosts would refuse."""
    accessories = tuple(accessories)
    conflicts: list[Diagnostic] = []
    for host in (host for host in context.selection.hosts if host in facts):
        own = tuple(_roles(context, host)) if roles else ()
        if own:
            _refuse_unprotected(context, facts[host])
        wanted = [*own, *_accessories(context, accessories, host)]
        conflicts += [*_named(facts[host], wanted), *_taken(facts[host], wanted), *_tls(facts[host], wanted)]
    if conflicts:
        first = conflicts[0]
        raise KamalError(
            first.message,
            host=first.location.host,
            details=list(map(str, conflicts[1:])),
            hint="; ".join(dict.fromkeys(each.remedy or "" for each in conflicts)),
            diagnostics=conflicts,
        )


def _roles(context: Context, host: str) -> Iterator[_WantedService]:
    for role in context.selection.roles_on(host):
        if role.proxy is not None:
            setting = "proxy" if role.primary else f"servers/{role.name}/proxy"
            labels = (role.service, role.name, role.destination or "")
            yield _WantedService(_service(role.container_prefix, role.proxy), labels, role.proxy, setting)


def _accessories(context: Context, accessories: Sequence[Accessory], host: str) -> Iterator[_WantedService]:
    for accessory in accessories:
        if accessory.proxy is not None and host in context.selection.hosts_of(accessory):
            setting = f"accessories/{accessory.name}/proxy"
            service = _service(accessory.service, accessory.proxy)
            yield _WantedService(service, (accessory.service, "", ""), accessory.proxy, setting)


def _service(name: str, settings: Proxy) -> ProxyService:
    return ProxyService(
        name,
        hosts=tuple(map(normal_host, settings.hosts)) or ("",),
        paths=tuple(map(normal_path, settings.path_prefixes)) or ("/",),
        tls=settings.ssl is not None,
    )


def _named(facts: HostFacts, wanted: Sequence[_WantedService]) -> Iterator[Diagnostic]:
    """Services whose name in the proxy another service has: it would lose its traffic."""
    there = {service.name: service for service in facts.proxy_facts.services}
    for each in wanted:
        other = there.get(each.service.name)
        owner = other and owner_of(other, facts)
        if other and owner and owner.service and (owner.service, owner.role, owner.destination) != each.labels:
            text = f"the proxy has another service of the name {described(other, facts)}"
            yield NAME_TAKEN.diagnostic(text, _at(facts, "service"), remedy=_NAMES)


def _taken(facts: HostFacts, wanted: Sequence[_WantedService]) -> Iterator[Diagnostic]:
    """Pairs of a host and a path that two services would have."""
    named = {each.service.name for each in wanted}
    there = [
        (service, described(service, facts)) for service in facts.proxy_facts.services if service.name not in named
    ]
    for each in wanted:
        for other, who in there:
            for host, path in sorted(_routes(each.service) & _routes(other)):
                where = f"{host or 'every host name'} at {path}"
                text = f"{each.service.name} cannot have {where}: {who} has it"
                yield ROUTE_TAKEN.diagnostic(text, _at(facts, each.setting), remedy=f"{each.setting}: {_ROUTES}")
        there.append((each.service, f"{each.service.name} of this deploy.yml"))


def _routes(service: ProxyService) -> set[tuple[str, str]]:
    return {(host, path) for host in service.hosts for path in service.paths}


def _tls(facts: HostFacts, wanted: Sequence[_WantedService]) -> Iterator[Diagnostic]:
    everything = [*(each.service for each in wanted), *facts.proxy_facts.services]
    for each in wanted:
        ssl = each.settings.ssl
        if ssl is None:
            continue
        if "/" not in each.service.paths:
            paths = ", ".join(each.service.paths)
            text = f"{each.service.name} cannot set up TLS below {paths}: {_root_of(each.service, everything)}"
            yield TLS_BELOW_PATH.diagnostic(text, _at(facts, each.setting), remedy=f"{each.setting}: {_PATH_TLS}")
        wildcards = [name for name in each.service.hosts if "*" in name]
        if wildcards and not ssl.custom:
            text = f"{each.service.name} cannot get a certificate for {', '.join(wildcards)} by itself"
            setting = f"{each.setting}/ssl"
            yield TLS_FOR_WILDCARD.diagnostic(text, _at(facts, setting), remedy=f"{setting}: {_WILDCARD}")


def _at(facts: HostFacts, setting: str) -> Location:
    return Location(host=facts.host, setting=setting)


def _root_of(service: ProxyService, everything: Sequence[ProxyService]) -> str:
    for name in service.hosts:
        root = next((other for other in everything if "/" in other.paths and name in other.hosts), None)
        if root is not None:
            return (
                f"{root.name} answers / of {name} and {'has' if root.tls else 'would have to have'} ssl for all of it"
            )
    return f"no service answers / of {service.hosts[0]}, and only that one can have ssl"


def _refuse_unprotected(context: Context, facts: HostFacts) -> None:
    """Ruby Kamal's proxy does not know the flags of protections; one that is too old may be replaced before."""
    running = facts.proxy
    protected = bool(proxy_flags.protections(context.config))
    if protected and running is not None and upstream(running.image) and not outdated(facts):
        message = f"The proxy of {facts.host} is {running.image}, which cannot protect an app"
        diagnostic = NEEDS_PYKAMAL_PROXY.diagnostic(message, _at(facts, "x-pykamal/proxy"), remedy=_REBOOT)
        raise KamalError(message, host=facts.host, hint=_REBOOT, diagnostics=[diagnostic])
