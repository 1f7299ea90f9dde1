"""Accessories, with their files and directories (spec/config.md 9)."""

from __future__ import annotations

from pykamal.config.decoding.common_values import env, logging, options, scalars
from pykamal.config.decoding.images import registry
from pykamal.config.decoding.proxy import proxy
from pykamal.config.decoding.roles import DEFAULT_RESTART
from pykamal.config.document import ListNode, MapNode, Node, ScalarNode
from pykamal.config.models.accessory import Accessory, Directory, File
from pykamal.config.node_reading import blank, entries, text, texts
from pykamal.config.servers import AccessoryHosts


def accessories(root: MapNode, service: str) -> tuple[Accessory, ...]:
    """All accessories, in file order."""
    hosts_of = AccessoryHosts(root).of
    return tuple(
        _accessory(root, name, node, service, hosts_of(node))
        for name, node in entries(root.get("accessories"))
        if isinstance(node, MapNode)
    )


def _accessory(root: MapNode, name: str, node: MapNode, service: str, hosts: tuple[str, ...]) -> Accessory:
    own_registry, own_proxy = node.get("registry"), node.get("proxy")
    own_options = options(node.get("options"))
    restart = own_options.pop("restart", None)
    return Accessory(
        name=name,
        service=text(node.get("service")) or f"{service}-{name}",
        image_name=text(node.get("image")) or "",
        hosts=hosts,
        registry=None if blank(own_registry) else registry(own_registry),
        cmd=text(node.get("cmd")),
        port=text(node.get("port")),
        labels=scalars(node.get("labels")),
        options=own_options,
        restart=str(restart) if restart is not None else DEFAULT_RESTART,
        env=env(node.get("env")),
        files=tuple(_file(entry) for entry in _items(node.get("files"))),
        directories=tuple(_directory(entry) for entry in _items(node.get("directories"))),
        volumes=texts(node.get("volumes")),
        network=text(node.get("network")) or "kamal",
        logging=logging(root.get("logging")),
        proxy=proxy(own_proxy) if isinstance(own_proxy, MapNode) and own_proxy.entries else None,
    )


def _file(node: Node) -> File:
    if isinstance(node, MapNode):
        local, remote = text(node.get("local")) or "", text(node.get("remote")) or ""
        return File(local, remote, octal(node.get("mode")), text(node.get("owner")), text(node.get("options")))
    local, remote, mount_options = _split(text(node) or "")
    return File(local, remote, options=mount_options)


def _directory(node: Node) -> Directory:
    if isinstance(node, MapNode):
        local, remote = text(node.get("local")) or "", text(node.get("remote")) or ""
        return Directory(local, remote, octal(node.get("mode")), text(node.get("owner")), text(node.get("options")))
    local, remote, mount_options = _split(text(node) or "")
    return Directory(local, remote, options=mount_options)


def octal(node: Node | None) -> str | None:
    """A mode as chmod takes it.

    YAML reads an unquoted `0644` as the number 420; the digits as written are what was meant (spec/config.md 22).
    """
    if isinstance(node, ScalarNode) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.text
    return text(node)


def _split(entry: str) -> tuple[str, str, str | None]:
    """`local:remote[:options]`; the options may contain colons."""
    local, _, rest = entry.partition(":")
    remote, _, mount_options = rest.partition(":")
    return local, remote, mount_options or None


def _items(node: Node | None) -> list[Node]:
    return node.items if isinstance(node, ListNode) else []
