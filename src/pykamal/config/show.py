"""Formats the output of `kamal config` (spec/config.md 19)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pykamal.config.decoding.connections import jump_host
from pykamal.config.document import (
    Key,
    ListNode,
    MapNode,
    Node,
    OtherKey,
    ScalarNode,
    Value,
    plain_value,
    ruby_text,
)
from pykamal.config.models.service import Config
from pykamal.config.node_reading import child, text, truthy
from pykamal.config.psych_emitter import RubyObject, dumped
from pykamal.config.redaction import without_secrets
from pykamal.config.servers import role_nodes
from pykamal.core.ruby import Symbol

_AFTER_KEEPALIVE: Final = ("keys_only", "keys", "key_data", "config", "forward_agent")


def config_document(config: Config, version: str, log_flags: Sequence[str]) -> str:
    """One YAML document, byte for byte as Ruby Kamal writes it, but with literal secrets redacted.

    `log_flags` are the words of docker's log options as they are shown, one word an item.
    """
    fields = config_fields(config, version, log_flags)
    return dumped({Symbol(key): value for key, value in fields.items() if value is not None})


def config_fields(config: Config, version: str, log_flags: Sequence[str]) -> dict[str, Any]:
    """The fields of spec/config.md 19.1 in their order; None where one is omitted."""
    root = resolved_root(config)
    as_written = _role_hosts_as_written(root)
    return {
        "roles": [role.name for role in config.roles],
        "hosts": _hosts(config, as_written, root),
        "primary_host": as_written.get(config.primary_host, config.primary_host),
        "version": version,
        "repository": config.repository,
        "absolute_image": config.absolute_image(version),
        "service_with_version": f"{config.service}-{version}",
        "volume_args": [word for volume in _items(root.get("volumes")) for word in ("--volume", volume)],
        "ssh_options": _ssh_options(root.get("ssh")),
        "sshkit": root.get("sshkit") or {},
        "builder": root.get("builder"),
        "accessories": root.get("accessories"),
        "logging": list(log_flags),
    }


def _items(node: Node | None) -> list[Node]:
    return node.items if isinstance(node, ListNode) else []


def _role_hosts_as_written(root: MapNode) -> dict[str | None, Value]:
    """By name: those that YAML reads as something else than a text."""
    keys = [key for role in role_nodes(root) for item in _items(role.hosts_node) for key in _keys(item)]
    return {str(key): key.value for key in keys if isinstance(key, OtherKey)}


def _hosts(config: Config, as_written: Mapping[str | None, Value], root: MapNode) -> list[Any]:
    """As they are written, each once: 5 and a text that looks like it are two."""
    shown: list[Any] = [as_written.get(host, host) for host in config.app_hosts]
    for accessory in config.accessories:
        settings = child(root, "accessories", accessory.name)
        nodes = [node for node in (child(settings, "host"), *_items(child(settings, "hosts"))) if node is not None]
        shown += nodes or [as_written.get(host, host) for host in accessory.hosts]
    return list({dumped(host): host for host in shown}.values())


def _keys(node: Node) -> Iterable[Key]:
    return node.entries if isinstance(node, MapNode) else ()


def plain_data(value: Any) -> Any:
    """Fields or nodes as JSON has them: symbols, dates and keys as text, and objects of Ruby as what they hold."""
    match value:
        case MapNode() | ListNode() | ScalarNode():
            return plain_data(plain_value(value))
        case RubyObject(fields=fields):
            return plain_data(fields)
        case Mapping():
            return {str(key): plain_data(item) for key, item in value.items()}
        case list() | tuple():
            return [plain_data(item) for item in value]
        case None | bool() | int() | str():
            return value
        case float() if value - value == 0:  # neither endless nor no number, which JSON does not have
            return value
        case _:
            return ruby_text(value)


def resolved_root(config: Config) -> MapNode:
    """The merged files after templating, without literal secrets."""
    assert config.document is not None, "only a loaded configuration can be shown"
    return without_secrets(config.document)


def _ssh_options(node: Node | None) -> Mapping[Symbol, Any]:
    options: dict[str, Any] = {
        "user": child(node, "user") or "root",
        "port": child(node, "port") or 22,
        "proxy": _proxy(node),
        "keepalive": True,
        "keepalive_interval": 30,
    }
    for key in _AFTER_KEEPALIVE:
        options[key] = child(node, key)
    options["log_level"] = child(node, "log_level") or Symbol("fatal")
    return {Symbol(key): value for key, value in options.items() if value is not None}


def _proxy(node: Node | None) -> RubyObject | None:
    jump = child(node, "proxy")
    if truthy(jump):
        return RubyObject("Net::SSH::Proxy::Jump", {"jump_proxies": jump_host(text(jump) or "")})
    if truthy(command := child(node, "proxy_command")):
        fields = {"command_line_template": command, "command_line": None, "timeout": 60}
        return RubyObject("Net::SSH::Proxy::Command", fields)
    return None
