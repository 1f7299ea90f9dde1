"""Roles and their hosts as the document has them, for validating as well as for building (spec/config.md 4)."""

from __future__ import annotations

from dataclasses import dataclass

from pykamal.config.document import ListNode, MapNode, Node, ScalarNode, merged
from pykamal.config.models.role import RoleHost
from pykamal.config.node_reading import blank, boolean, child, host_names, text, texts, truthy

DEFAULT_ROLE = "web"


@dataclass(frozen=True, slots=True)
class RoleNode:
    """One role of the document. `settings` is None for a role that is only a list of hosts, which `hosts_node` is."""

    name: str
    node: Node
    settings: MapNode | None
    hosts_node: Node | None
    hosts: tuple[RoleHost, ...]


def primary_role_name(root: MapNode) -> str:
    node = root.get("primary_role")
    return text(node) or "" if truthy(node) else DEFAULT_ROLE


def role_nodes(root: MapNode) -> list[RoleNode]:
    """Roles in file order; a list of hosts is the role `web`."""
    servers = root.get("servers")
    if isinstance(servers, ListNode):
        return [RoleNode(DEFAULT_ROLE, servers, None, servers, _hosts(servers))]
    if not isinstance(servers, MapNode):
        return []
    return [_role(name, node) for name, node in servers.items()]


def by_name(roles: list[RoleNode]) -> list[RoleNode]:
    """In byte order of their names: capitals before lower case."""
    return sorted(roles, key=lambda role: role.name.encode())


def role_proxy(root: MapNode, role: RoleNode, primary: str) -> MapNode | None:
    """The proxy settings of a role over the root's, None when it is not behind the proxy (spec/config.md 4.4)."""
    own = child(role.settings, "proxy")
    root_proxy = root.get("proxy")
    base = root_proxy if isinstance(root_proxy, MapNode) else MapNode({}, root.position)
    if isinstance(own, MapNode):
        return merged(base, own)
    chosen = boolean(own)
    return base if chosen or (chosen is None and role.name == primary) else None


def proxy_host_names(proxy: MapNode) -> tuple[str, ...]:
    """`hosts`, or `host` split at commas."""
    if (hosts := proxy.get("hosts")) is not None:
        return host_names(hosts)
    host = text(proxy.get("host"))
    return tuple(part for part in (host or "").split(",") if part) if host and host.strip() else ()


class AccessoryHosts:
    """Hosts of accessories: given, of roles, or with tags; unique, in order (spec/config.md 9.1 and 9.2)."""

    def __init__(self, root: MapNode) -> None:
        self._by_role: dict[str, list[str]] = {}
        self._by_tag: dict[str, list[str]] = {}
        for role in role_nodes(root):
            self._by_role[role.name] = [host.name for host in role.hosts]
            for host in role.hosts:
                for tag in dict.fromkeys(host.tags):
                    self._by_tag.setdefault(tag, []).append(host.name)

    def of(self, accessory: MapNode) -> tuple[str, ...]:
        host = text(accessory.get("host"))
        names = [*([] if host is None else [host]), *host_names(accessory.get("hosts"))]
        for single, several, known in (("role", "roles", self._by_role), ("tag", "tags", self._by_tag)):
            for wanted in (text(accessory.get(single)), *texts(accessory.get(several))):
                names.extend(known.get(wanted or "", ()))
        return tuple(dict.fromkeys(names))


def _role(name: str, node: Node) -> RoleNode:
    settings = node if isinstance(node, MapNode) else None
    hosts = child(settings, "hosts") if settings is not None else node
    return RoleNode(name, node, settings, hosts, _hosts(hosts))


def _hosts(node: Node | None) -> tuple[RoleHost, ...]:
    """Strings and one-key mappings. Other scalars pass validation and are no hosts; a repeated host keeps its place."""
    hosts: dict[str, RoleHost] = {}
    for item in node.items if isinstance(node, ListNode) else ():
        if isinstance(item, ScalarNode) and isinstance(item.value, str):
            hosts[item.value] = RoleHost(item.value)
        elif isinstance(item, MapNode):
            for name, tags in item.items():
                hosts[name] = RoleHost(name, texts(tags) if isinstance(tags, ListNode) else _one_tag(tags))
    return tuple(hosts.values())


def _one_tag(node: Node) -> tuple[str, ...]:
    tag = text(node)
    return () if blank(node) or tag is None else (tag,)
