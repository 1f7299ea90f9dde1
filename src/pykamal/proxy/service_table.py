"""The service table of the control plane: what it holds, nginx and the state file follow (spec/proxy.md 4, 7.2, 9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import fields

from pykamal.proxy.dataplane import DataPlane
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.health_checks import watch
from pykamal.proxy.json_log import log
from pykamal.proxy.services import Service, document
from pykamal.proxy.state import StateFile
from pykamal.proxy.targets import Target, TargetSet


class ServiceTable:
    """Services by name. Change them only inside `changing`, which publishes what changed before it returns."""

    def __init__(self, data_plane: DataPlane, state_file: StateFile) -> None:
        self.services: dict[str, Service] = {}
        self.data_plane = data_plane
        self._state_file = state_file
        self._lock = asyncio.Lock()
        self._published: dict[str, str] = {}

    def get(self, name: str) -> Service:
        """Raises ProxyError when there is no such service."""
        service = self.services.get(name)
        if service is None:
            raise ProxyError("service not found")
        return service

    def is_unusable(self, name: str) -> bool:
        """True when only a record that could not be restored has this name."""
        return name in self._state_file.unusable and name not in self.services

    @asynccontextmanager
    async def changing(self, *names: str) -> AsyncIterator[None]:
        """Holds the table's lock; afterwards nginx knows the new state of these services.

        Raises ProxyError when nginx cannot be told; then they are again what they were.
        """
        async with self._lock:
            before = [(name, self.services[name], copy(self.services[name])) for name in names if name in self.services]
            hosts_before = self._hosts_of(names)
            yield
            try:
                await self._publish(set(names), hosts_before | self._hosts_of(names))
            except ProxyError:
                self._put_back(names, before)
                raise

    async def publish_targets(self, name: str) -> None:
        """After a change of state or address of a target of this service."""
        try:
            async with self.changing(name):
                pass
        except ProxyError as problem:
            log("ERROR", "Unable to publish service", service=name, error=str(problem))

    async def publish_all(self) -> None:
        """Makes nginx's table equal to this one, whatever it held before."""
        async with self._lock:
            documents = self.documents()
            try:
                await self.data_plane.publish(documents, [], complete=True)
                self._published = documents
            except ProxyError as problem:
                log("ERROR", "Unable to publish services", error=str(problem))

    def documents(self) -> dict[str, str]:
        """Every service's document by name."""
        roots = self._roots()
        return {name: document(service, roots.get(service.options.hosts[0])) for name, service in self.services.items()}

    def with_tls(self) -> list[tuple[Service, bool]]:
        """Every service, and whether it is served with TLS (spec/proxy.md 7.2)."""
        roots = self._roots()
        owners = ((service, roots.get(service.options.hosts[0])) for service in self.services.values())
        return [(service, owner is not None and owner.options.tls_enabled) for service, owner in owners]

    async def write_state(self, changed: str) -> None:
        """Writes the state file after a change of one service; a full disk is logged, since the proxy itself works."""
        try:
            await self._state_file.save(self.services, [changed])
        except OSError as problem:
            log("ERROR", "Unable to save state", error=str(problem))

    async def prepare_state(self) -> None:
        """Encodes the records of all services little by little, so that the first change need not do it at once."""
        for name in list(self.services):
            self._state_file.encode(self.services, [name])
            await asyncio.sleep(0)

    def root_of(self, service: Service) -> Service | None:
        """The service at `/` of this one's first host: itself, if it is bound there."""
        if service.options.is_root:
            return service
        host = service.options.hosts[0]
        for other in self.services.values():
            if other.options.is_root and host in other.options.hosts:
                return other
        return None

    def start_checks(self, service_name: str, targets: TargetSet, *, of: Service) -> None:
        """Starts checking a set; its changes reach nginx once the set is installed."""

        async def changed(_target: Target) -> None:
            service = self.services.get(service_name)
            if service is not None and any(targets is installed for installed in service.sets):
                await self.publish_targets(service_name)

        watch(targets, of.target_options.health_check_config, changed)

    def installed_targets(self) -> Iterator[tuple[Service, Target]]:
        """Every target of every installed set."""
        for service in self.services.values():
            for chosen in service.sets:
                for target in chosen.targets:
                    yield service, target

    def gives_up_contested_address(self, target: Target) -> bool:
        """True for a name that can no longer be looked up while another name is known to be at its address."""
        if target.is_confirmed or not target.address:
            return False
        place = target.address, target.port
        others = (other for _, other in self.installed_targets() if other.is_confirmed and other.host != target.host)
        if not any((other.address, other.port) == place for other in others):
            return False
        target.address = ""
        return True

    def shared_addresses(self, targets: Collection[Target]) -> set[str]:
        """Return the `address:port` of `targets` that other installed targets have too."""
        wanted = {(target.address, target.port) for target in targets}
        found = set()
        for service in self.services.values():
            for chosen in service.sets:
                for other in chosen.targets:
                    if (other.address, other.port) in wanted and other not in targets:
                        wanted.discard((other.address, other.port))
                        found.add(f"{other.address}:{other.port}")
            if not wanted:
                break
        return found

    def _roots(self) -> dict[str, Service]:
        """The services bound to `/`, by host."""
        roots = (service for service in self.services.values() if service.options.is_root)
        return {host: service for service in roots for host in service.options.hosts}

    def _put_back(self, names: Iterable[str], before: Iterable[tuple[str, Service, Service]]) -> None:
        for name in names:
            self.services.pop(name, None)
        for name, service, content in before:
            for field in fields(Service):
                setattr(service, field.name, getattr(content, field.name))
            self.services[name] = service

    def _hosts_of(self, names: Iterable[str]) -> set[str]:
        found = (self.services.get(name) for name in names)
        return {host for service in found if service for host in service.options.hosts}

    async def _publish(self, names: set[str], hosts: set[str]) -> None:
        # Path services take their TLS settings from the root service of their first host.
        names |= {
            service.name
            for service in self.services.values()
            if not service.options.is_root and service.options.hosts[0] in hosts
        }
        changed: dict[str, str] = {}
        removed: list[str] = []
        for name in names:
            service = self.services.get(name)
            if service is None:
                removed.append(name)
                self._published.pop(name, None)
                continue
            text = document(service, self.root_of(service))
            if self._published.get(name) != text:
                changed[name] = text
        if changed or removed:
            await self.data_plane.publish(changed, removed)
            self._published.update(changed)
