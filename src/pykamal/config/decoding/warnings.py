"""Warnings of settings that Ruby Kamal accepts and that are probably not what was meant (spec/config.md 22)."""

from __future__ import annotations

from collections.abc import Iterator

from pykamal.config.decoding.connections import boot_limit_is_usable, port_is_usable
from pykamal.config.document import ListNode, MapNode, Node, ScalarNode
from pykamal.config.node_reading import child, entries, text
from pykamal.config.servers import role_nodes
from pykamal.core.catalogue.settings import (
    IGNORED_HOST,
    MISSING_CONTAINER_PATH,
    UNKNOWN_TAG,
    UNUSABLE_VALUE,
)
from pykamal.core.diagnostics import Diagnostic, Location


def warnings(root: MapNode) -> Iterator[Diagnostic]:
    yield from _ignored_hosts(root)
    yield from _unknown_tags(root)
    yield from _accessory_paths(root)
    port = child(root, "ssh", "port")
    if port is not None and not port_is_usable(port):
        yield UNUSABLE_VALUE.diagnostic("ssh/port is no port number; 22 is used", Location(port.position, "ssh/port"))
    limit = child(root, "boot", "limit")
    if limit is not None and not boot_limit_is_usable(text(limit)):
        message = "boot/limit is neither a number nor a percentage; nothing can be booted with it"
        yield UNUSABLE_VALUE.diagnostic(message, Location(limit.position, "boot/limit"))


def _ignored_hosts(root: MapNode) -> Iterator[Diagnostic]:
    for role in role_nodes(root):
        for item in role.hosts_node.items if isinstance(role.hosts_node, ListNode) else ():
            if isinstance(item, ScalarNode) and not isinstance(item.value, str):
                message = f"{item.text} is no host name and is ignored; quote it if it is one"
                yield IGNORED_HOST.diagnostic(message, Location(item.position))


def _unknown_tags(root: MapNode) -> Iterator[Diagnostic]:
    known = {tag for tag, _ in entries(child(root, "env", "tags"))}
    for accessory in entries(root.get("accessories")):
        known |= _wanted_tags(accessory[1])
    for role in role_nodes(root):
        for host in role.hosts:
            for tag in host.tags:
                if tag not in known:
                    message = f"host {host.name} has the tag {tag}, which env/tags does not define"
                    yield UNKNOWN_TAG.diagnostic(message, Location(role.node.position))


def _wanted_tags(accessory: Node) -> set[str]:
    tags = child(accessory, "tags")
    several = tags.items if isinstance(tags, ListNode) else ()
    return {tag for node in (child(accessory, "tag"), *several) if (tag := text(node)) is not None}


def _accessory_paths(root: MapNode) -> Iterator[Diagnostic]:
    for name, accessory in entries(root.get("accessories")):
        for key in ("files", "directories"):
            section = child(accessory, key)
            for item in section.items if isinstance(section, ListNode) else ():
                remote = (
                    text(child(item, "remote")) if isinstance(item, MapNode) else (text(item) or "").partition(":")[2]
                )
                if not remote:
                    setting = f"accessories/{name}/{key}"
                    message = f"{setting} has an entry without a path inside the container"
                    yield MISSING_CONTAINER_PATH.diagnostic(message, Location(item.position, setting))
