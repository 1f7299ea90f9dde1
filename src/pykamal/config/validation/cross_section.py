"""Rules across sections, in the order and with the words of spec/config.md 17."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pykamal import KAMAL_VERSION
from pykamal.config.document import MapNode, Node, ScalarNode
from pykamal.config.node_reading import blank, boolean, child, chosen, entries, integer, string, text, texts, truthy
from pykamal.config.servers import (
    AccessoryHosts,
    by_name,
    primary_role_name,
    proxy_host_names,
    role_nodes,
    role_proxy,
)
from pykamal.config.system import System, docker_architecture
from pykamal.config.validation.per_section import is_local_registry, is_uri
from pykamal.config.validation.ruby_precedence import CROSS_STAGE, OWN_STAGE
from pykamal.config.validation.violation import Violation, described
from pykamal.core.catalogue.settings import (
    CONFLICTING_SETTINGS,
    INVALID_NAME,
    INVALID_VALUE,
    MISSING_DESTINATION,
    MISSING_KEY,
    NO_SERVERS,
    RENAMED_HOOK,
    SSL_HOST_SHARED,
    SSL_NEEDS_ONE_SERVER,
    UNKNOWN_ROLE,
    VERSION_TOO_OLD,
    WRONG_TYPE,
)
from pykamal.core.diagnostics import Rule
from pykamal.erb.gem_version import GemVersion
from pykamal.erb.system import CommandRefused

HOOK_LEVELS: Final = ("quiet", "verbose")
MISSING_STAGES: Final = frozenset(CROSS_STAGE + number for number in (1, 2, 3, 4, 6))
"""The stages of what must be there and is not: destination, service, image, servers, hosts of the primary role."""

_RENAMED_HOOKS: Final = ("pre-traefik-reboot", "post-traefik-reboot")
_SERVICE_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


def cross_violations(
    root: MapNode, so_far: list[Violation], destination: str | None, system: System
) -> list[Violation]:
    """Check the sections together. Parts that the schema found fault with are left alone."""
    broken = {violation.path[0] for violation in so_far if violation.path and violation.stage != OWN_STAGE}
    checks = _Checks(root, broken, destination, system)
    return list(checks.all())


class _Checks:
    def __init__(self, root: MapNode, broken: set[str | int], destination: str | None, system: System) -> None:
        self.root = root
        self.broken = broken
        self.destination = destination
        self.system = system
        self.roles = by_name(role_nodes(root))
        self.primary = primary_role_name(root)

    def all(self) -> Iterator[Violation]:
        yield from self._destination()
        yield from self._required()
        if "servers" not in self.broken:
            yield from self._roles()
        yield from self._minimum_version()
        yield from self._numbers_and_names()
        yield from self._renamed_hooks()
        if not self.broken & {"servers", "proxy", "accessories"}:
            yield from self._ssl()
            yield from self._proxy_runs()
        if not self.broken & {"registry", "builder"}:
            yield from self._local_registry()
        if "hooks_output" not in self.broken:
            yield from self._hooks_output()

    def _violation(
        self,
        rule: Rule,
        number: int,
        message: str,
        node: Node | None,
        *,
        label: str | None = None,
        expected: str | None = None,
    ) -> Violation:
        position = node.position if node is not None else self.root.position
        found = described(node) if isinstance(node, ScalarNode) and expected is not None else None
        stage = CROSS_STAGE + number
        return Violation(rule, (), message, position, stage=stage, label=label, expected=expected, found=found)

    def _destination(self) -> Iterator[Violation]:
        required = self.root.get("require_destination")
        if boolean(required) and self.destination is None:
            yield self._violation(
                MISSING_DESTINATION, 1, "You must specify a destination", required, label="ArgumentError"
            )

    def _required(self) -> Iterator[Violation]:
        service, image = self.root.get("service"), self.root.get("image")
        if blank(service) and "service" not in self.broken:
            yield self._violation(MISSING_KEY, 2, "Missing required configuration for service", service)
        if blank(image) and "image" not in self.broken and not is_local_registry(self.root.get("registry")):
            yield self._violation(MISSING_KEY, 3, "Missing required configuration for image", image)
        if self.root.get("servers") is None and blank(self.root.get("accessories")):
            yield self._violation(NO_SERVERS, 4, "No servers or accessories specified", None)

    def _roles(self) -> Iterator[Violation]:
        servers = self.root.get("servers")
        if servers is None:
            return
        primary = next((role for role in self.roles if role.name == self.primary), None)
        if primary is None:
            named = self.root.get("primary_role") or servers
            defined = ", ".join(role.name for role in self.roles)
            expected = f"one of {defined}" if defined else None
            yield self._violation(
                UNKNOWN_ROLE, 5, f"The primary_role {self.primary} isn't defined", named, expected=expected
            )
        elif not primary.hosts:
            yield self._violation(
                NO_SERVERS, 6, f"No servers specified for the {self.primary} primary_role", primary.node
            )
        if truthy(self.root.get("allow_empty_roles")):
            return
        for role in self.roles:
            if role.name != self.primary and not role.hosts:
                message = (
                    f"No servers specified for the {role.name} role. You can ignore this with allow_empty_roles: true"
                )
                yield self._violation(NO_SERVERS, 7, message, role.node)

    def _minimum_version(self) -> Iterator[Violation]:
        node = self.root.get("minimum_version")
        wanted = text(node)
        if "minimum_version" in self.broken or wanted is None or not truthy(node):
            return
        version = GemVersion.parse(wanted)
        if version is None:
            message = f"Malformed version number string {wanted}"
            yield self._violation(
                INVALID_VALUE, 8, message, node, label="ArgumentError", expected="a version such as 2.3.0"
            )
        elif version > GemVersion.of(KAMAL_VERSION):
            yield self._violation(
                VERSION_TOO_OLD, 8, f"Current version is {KAMAL_VERSION}, minimum required is {wanted}", node
            )

    def _numbers_and_names(self) -> Iterator[Violation]:
        retained = self.root.get("retain_containers")
        count = integer(retained)
        if count is not None and count < 1:
            yield self._violation(INVALID_VALUE, 9, "Must retain at least 1 container", retained, expected="1 or more")
        service = self.root.get("service")
        if "service" in self.broken or blank(service):
            return
        name = string(service)
        if name is None:
            yield self._violation(
                WRONG_TYPE, 10, "service: should be a string", service, label="NoMethodError", expected="a string"
            )
        elif not _SERVICE_NAME.fullmatch(name):
            message = "Service name can only include alphanumeric characters, hyphens, and underscores"
            yield self._violation(INVALID_NAME, 10, message, service)

    def _renamed_hooks(self) -> Iterator[Violation]:
        if "hooks_path" in self.broken:
            return
        node = self.root.get("hooks_path")
        if truthy(node) and not (isinstance(node, ScalarNode) and isinstance(node.value, str)):
            yield self._violation(
                WRONG_TYPE, 11, "hooks_path: should be a string", node, label="TypeError", expected="a string"
            )
            return
        directory = self.system.working_directory / chosen(node, ".kamal/hooks")
        present = set(self.system.file_names(directory))
        found = [name for name in _RENAMED_HOOKS if name in present]
        if found:
            message = f"Found {', '.join(found)}, these should be renamed to (pre|post)-proxy-reboot"
            yield self._violation(RENAMED_HOOK, 11, message, node)

    def _ssl(self) -> Iterator[Violation]:
        hosts: set[str] = set()
        repeated: dict[str, Node] = {}
        for role in self.roles:
            proxy = role_proxy(self.root, role, self.primary)
            ssl = proxy.get("ssl") if proxy is not None else None
            if proxy is None or not truthy(ssl):
                continue
            host = proxy.get("host")
            if isinstance(host, ScalarNode) and truthy(host) and not isinstance(host.value, str):
                yield self._violation(
                    WRONG_TYPE, 13, "proxy/host: should be a string", host, label="NoMethodError", expected="a string"
                )
            custom = not blank(child(ssl, "certificate_pem")) and not blank(child(ssl, "private_key_pem"))
            if len(role.hosts) > 1 and not custom:
                message = (
                    "SSL is only supported on a single server unless you provide custom certificates, "
                    f"found {len(role.hosts)} servers for role {role.name}"
                )
                yield self._violation(SSL_NEEDS_ONE_SERVER, 12, message, ssl)
            names = dict.fromkeys(proxy_host_names(proxy))
            repeated.update({name: role.node for name in names if name in hosts})
            hosts.update(names)
        if repeated:
            message = f"Different roles can't share the same host for SSL: {', '.join(repeated)}"
            yield self._violation(SSL_HOST_SHARED, 13, message, next(iter(repeated.values())))

    def _local_registry(self) -> Iterator[Violation]:
        remote = child(self.root, "builder", "remote")
        address = text(remote)
        if not is_local_registry(self.root.get("registry")) or not truthy(remote) or address is None:
            return
        if is_uri(address) and address.startswith("ssh://"):
            return
        if not self._builds_remotely():
            return
        if not is_uri(address):
            message = f'bad URI (is not URI?): "{address}"'
            yield self._violation(INVALID_VALUE, 14, message, remote, label="URI::InvalidURIError")
        else:
            message = "Local registry with remote builder requires an SSH URL (e.g., ssh://user@host)"
            yield self._violation(INVALID_VALUE, 14, message, remote)

    def _builds_remotely(self) -> bool:
        """Tell whether the remote builds some architecture, by the one of the local Docker (spec/config.md 7.2)."""
        builder = self.root.get("builder")
        arch = child(builder, "arch")
        arches = texts(arch) or tuple(filter(None, [text(arch)]))
        if boolean(child(builder, "local")) is False:
            return bool(arches)
        try:
            return any(name != docker_architecture(self.system) for name in arches)
        except CommandRefused:
            return len(arches) > 1  # of one architecture only Docker could tell

    def _proxy_runs(self) -> Iterator[Violation]:
        seen: dict[str, object] = {}
        for hosts, proxy, node in self._proxied():
            run = proxy.get("run")
            if not isinstance(run, MapNode) or not run.entries:
                continue
            settings = _comparable(run)
            for host in hosts:
                if seen.setdefault(host, settings) != settings:
                    yield self._violation(
                        CONFLICTING_SETTINGS, 15, f"Conflicting proxy run configurations for host {host}", node
                    )
                    return

    def _proxied(self) -> Iterator[tuple[tuple[str, ...], MapNode, Node]]:
        for role in self.roles:
            proxy = role_proxy(self.root, role, self.primary)
            if proxy is not None:
                yield tuple(host.name for host in role.hosts), proxy, role.node
        hosts_of = AccessoryHosts(self.root).of
        for _, accessory in entries(self.root.get("accessories")):
            if isinstance(accessory, MapNode) and isinstance(own := accessory.get("proxy"), MapNode):
                yield hosts_of(accessory), own, own

    def _hooks_output(self) -> Iterator[Violation]:
        node = self.root.get("hooks_output")
        if isinstance(node, MapNode):
            for hook, level in node.items():
                name = string(level)
                if name is None:
                    text_ = f"hooks_output/{hook}: should be a string or a symbol"
                    yield self._violation(
                        WRONG_TYPE, 16, text_, level, label="NoMethodError", expected=" or ".join(HOOK_LEVELS)
                    )
                elif name not in HOOK_LEVELS:
                    message = f"Invalid hooks_output '{name}' for hook '{hook}', must be one of: quiet, verbose"
                    yield self._violation(INVALID_VALUE, 16, message, level)
            return
        name = string(node)
        if name is not None and name not in HOOK_LEVELS:
            yield self._violation(
                INVALID_VALUE, 16, f"Invalid hooks_output '{name}', must be one of: quiet, verbose", node
            )


def _comparable(node: Node) -> object:
    match node:
        case MapNode():
            return {key: _comparable(child_node) for key, child_node in node.items()}
        case ScalarNode(value=value):
            return (type(value).__name__, value)
        case _:
            return [_comparable(item) for item in node.items]
