"""Projects the steps that are pending on a host onto its facts, which show a host as if they were done already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pykamal.commands.script import Step
from pykamal.commands.subject import Action, Kind, Subject, of_app, of_host
from pykamal.config.models import Config
from pykamal.operations.hosts.facts import PROXY, Container, HostFacts
from pykamal.operations.hosts.wanted_proxy import wanted_proxy


def engine_pending(pending: Iterable[Step]) -> bool:
    """True if Docker on the host can be asked only after one of these steps."""
    return any(step.subject == of_host(Action.INSTALL) for step in pending)


def app_removal_pending(pending: Iterable[Step]) -> bool:
    """True if one of these steps removes the directory of the app."""
    return any(step.subject == of_app(Action.REMOVE) for step in pending)


def projected(config: Config, facts: HostFacts, pending: Iterable[Step]) -> HostFacts:
    """The facts of a host after these steps, as far as they concern its proxy and accessories.

    The containers of roles are as they were read: no flow decides anything by them once it has changed them.
    """
    for step in pending:
        match step.subject:
            case Subject(Action.REMOVE_CONTAINER, Kind.PROXY):
                facts = _without(facts, PROXY)
            case Subject(Action.RUN, Kind.PROXY):
                _, image, _ = wanted_proxy(config, facts.host, facts.proxy_facts)
                facts = _with(facts, Container(PROXY, "running", image))
                facts = replace(facts, proxy_facts=replace(facts.proxy_facts, container=None))
            case Subject(Action.REMOVE_CONTAINER, Kind.ACCESSORY, service=service):
                facts = _without(facts, service)
            case Subject(Action.RUN, Kind.ACCESSORY, service=service):
                facts = _with(facts, Container(service, "running", "", service))
    return facts


def _with(facts: HostFacts, container: Container) -> HostFacts:
    return replace(facts, containers=(container, *_without(facts, container.name).containers))


def _without(facts: HostFacts, name: str) -> HostFacts:
    return replace(facts, containers=tuple(each for each in facts.containers if each.name != name))
