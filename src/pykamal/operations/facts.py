"""What was read from a host, before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pykamal.commands import facts as commands
from pykamal.commands.script import Script, Step, script
from pykamal.config.models import Config, Role
from pykamal.operations.diagnosis import error_of
from pykamal.transport.session import StepResult

RUNNING_STATES = frozenset({"running", "restarting"})


@dataclass(frozen=True, slots=True)
class Container:
    """One container. `created` is RFC 3339 in UTC; `image_id` is a digest."""

    id: str
    name: str
    created: str
    state: str
    image_id: str
    image: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return self.state in RUNNING_STATES


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The containers of the service and the proxy's on one host."""

    host: str
    containers: tuple[Container, ...]
    proxy: Container | None
    latest_image_id: str | None

    def of_role(self, role: Role) -> tuple[Container, ...]:
        """The role's containers at this destination, newest first."""
        mine = [
            container
            for container in self.containers
            if container.labels.get("role") == role.name
            and container.labels.get("destination", "") == (role.destination or "")
        ]
        return tuple(sorted(mine, key=_age, reverse=True))

    def running_versions(self, role: Role) -> tuple[str, ...]:
        return tuple(_version(role, container) for container in self.of_role(role) if container.running)

    def current_version(self, role: Role) -> str | None:
        """The newest running container made from the image tagged latest, else the newest running one (14.2)."""
        running = [container for container in self.of_role(role) if container.running]
        latest = [container for container in running if container.image_id == self.latest_image_id]
        chosen = next(iter(latest or running), None)
        return _version(role, chosen) if chosen is not None else None

    def has_container(self, role: Role, version: str) -> bool:
        """Whether a container of that name exists, in whatever state and with whatever labels."""
        name = role.container_name(version)
        return any(container.name == name for container in self.containers)

    @property
    def proxy_running(self) -> bool:
        """Whether the proxy is up, which says as well that its network is there."""
        return self.proxy is not None and self.proxy.state == "running"

    @property
    def proxy_version(self) -> str | None:
        """The proxy image's tag, or None when there is no proxy container."""
        if self.proxy is None:
            return None
        return self.proxy.image.rpartition(":")[2]


def reading(config: Config) -> Script:
    """The steps whose results `parse` understands."""
    return script(
        Step("read containers", commands.containers(config)),
        Step("read latest image", commands.latest_image(config)),
    )


def parse(host: str, results: Sequence[StepResult]) -> HostFacts:
    """Facts from the results of `reading`, which are the last ones of a longer script or all.

    Raises `CommandFailed` when Docker complains of anything but a container or image that is not there.
    """
    containers, latest = results[-2:]
    for result in (containers, latest):
        if any("no such " not in line.lower() for line in result.stderr.splitlines() if line.strip()):
            raise error_of(result, host)
    found = list(_containers(containers.stdout.splitlines()))
    return HostFacts(
        host=host,
        containers=tuple(container for container in found if container.name != "kamal-proxy"),
        proxy=next((container for container in found if container.name == "kamal-proxy"), None),
        latest_image_id=latest.captured or None,
    )


def _containers(lines: Iterable[str]) -> Iterable[Container]:
    for line in lines:
        fields = line.split("\t")
        if len(fields) != len(commands.CONTAINER_FIELDS):
            continue
        identifier, name, created, state, image_id, image, labels = fields
        yield Container(
            id=identifier,
            name=name.removeprefix("/"),
            created=created,
            state=state,
            image_id=image_id,
            image=image,
            labels=json.loads(labels) or {},
        )


def _version(role: Role, container: Container) -> str:
    return container.name.removeprefix(f"{role.container_prefix}-")


def _age(container: Container) -> str:
    # RFC 3339 with trailing zeros of the fraction cut: without the zone letter, text order is time order.
    return container.created.rstrip("Z")
