"""Facts: what was read from a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pykamal.commands import facts as commands
from pykamal.commands.script import Script, Step, script
from pykamal.config.models import Config, Role
from pykamal.operations.execution.failure_hints import error_of, failed_step
from pykamal.operations.hosts import proxy_facts
from pykamal.operations.hosts.proxy_facts import ProxyFacts
from pykamal.transport.session import StepResult

PROXY: Final = "kamal-proxy"
RUNNING_STATES: Final = frozenset({"running", "restarting"})


@dataclass(frozen=True, slots=True)
class Container:
    """One container; the labels are empty where it has none of that name. `age` is Docker's text: `3 hours ago`.

    `identifier` is the short one, by which the proxy knows it.
    """

    name: str
    state: str
    image: str
    service: str = ""
    role: str = ""
    destination: str = ""
    age: str = ""
    identifier: str = ""

    @property
    def running(self) -> bool:
        return self.state in RUNNING_STATES


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The containers of one host, newest first.

    `chosen` tells the current version of roles, by name, of which several versions run. `proxy_facts` are empty where
    they were not asked for.
    """

    host: str
    containers: tuple[Container, ...]
    chosen: Mapping[str, str] = field(default_factory=dict)
    proxy_facts: ProxyFacts = ProxyFacts()

    def of_role(self, role: Role) -> tuple[Container, ...]:
        """The role's containers at this destination, newest first."""
        labels = (role.service, role.name, role.destination or "")
        return tuple(each for each in self.containers if (each.service, each.role, each.destination) == labels)

    def running_versions(self, role: Role) -> tuple[str, ...]:
        return tuple(version_of(role, container) for container in self.of_role(role) if container.running)

    def current_version(self, role: Role) -> str | None:
        """The version that serves: the only one that runs, or the one chosen among several (spec/cli.md 14.2)."""
        running = self.running_versions(role)
        return self.chosen.get(role.name) or next(iter(running), None)

    def live_versions(self, role: Role) -> tuple[str, ...]:
        """The versions that run or are paused: those hold memory and ports, and may go on at any time."""
        live = (each for each in self.of_role(role) if each.running or each.state == "paused")
        return tuple(version_of(role, container) for container in live)

    def replaced_version(self, role: Role) -> str | None:
        """The version that a new one takes the place of: the current one, or else the newest that is paused."""
        return self.current_version(role) or next(iter(self.live_versions(role)), None)

    def undecided(self, roles: Iterable[Role]) -> tuple[Role, ...]:
        """Roles of which several versions run, so that the image tagged latest has to say which is current."""
        return tuple(role for role in roles if len(self.running_versions(role)) > 1 and role.name not in self.chosen)

    def has_container(self, role: Role, version: str) -> bool:
        """True if a container of that name exists, in whatever state and with whatever labels."""
        return any(container.name == role.container_name(version) for container in self.containers)

    def container_of(self, target: str) -> Container | None:
        """The container that a target of the proxy, `IDENTIFIER:PORT`, is in."""
        identifier = target.partition(":")[0]
        return next((each for each in self.containers if identifier and each.identifier == identifier), None)

    @property
    def proxy(self) -> Container | None:
        return next((container for container in self.containers if container.name == PROXY), None)

    @property
    def proxy_running(self) -> bool:
        """True if the proxy runs, and so its network exists."""
        return self.proxy is not None and self.proxy.state == "running"

    @property
    def proxy_version(self) -> str | None:
        """The proxy image's tag, or None when there is no proxy container."""
        return None if self.proxy is None else self.proxy.image.rpartition(":")[2]


def reading(config: Config, host: str, *, proxy: bool = False) -> Script:
    """The steps whose results `parse` understands; with `proxy`, they read what a proxy is and serves as well."""
    containers = Step("read containers", commands.containers())
    if not proxy:
        return script(containers)
    return script(
        containers,
        Step("read proxy", commands.proxy_container()),
        Step("read services of proxy", commands.proxy_services()),
        Step("read proxy settings", commands.proxy_settings(config, host)),
    )


def parse(host: str, results: Sequence[StepResult]) -> HostFacts:
    """Facts from the results of `reading`. Raises `CommandFailed` when there was no engine to ask."""
    failure = failed_step(results)
    if failure is not None:
        raise error_of(failure, host)
    containers, *proxy = results
    lines = (line.split("\t") for line in containers.stdout.splitlines())
    return HostFacts(
        host,
        tuple(Container(*fields) for fields in lines if len(fields) == len(commands.CONTAINER_FIELDS)),
        proxy_facts=proxy_facts.parse(*(result.stdout for result in proxy)) if proxy else ProxyFacts(),
    )


def version_of(role: Role, container: Container) -> str:
    """The version in its name; `V_replaced_HEX16` for one that made way for another of the same version."""
    return container.name.removeprefix(f"{role.container_prefix}-")
