"""Rules inside one section that its schema does not say (spec/config.md 5 to 16)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pykamal.config.document import ListNode, MapNode, Node, OtherKey, ScalarNode
from pykamal.config.node_reading import blank, child, entries, integer, string, text, texts, truthy
from pykamal.config.servers import by_name, primary_role_name, role_nodes, role_proxy
from pykamal.config.validation.proxy_extension import proxy_extension_violations
from pykamal.config.validation.ruby_precedence import MERGED_STAGE, OWN_STAGE, RUNTIME_STAGE
from pykamal.config.validation.secrets_extension import secrets_extension_violations
from pykamal.config.validation.structure import node_at
from pykamal.config.validation.violation import KeyPath, Phase, Violation
from pykamal.core.catalogue.settings import (
    CONFLICTING_SETTINGS,
    INVALID_NAME,
    INVALID_VALUE,
    MISSING_KEY,
    RESERVED_NAME,
    UNKNOWN_ROLE,
    WRONG_TYPE,
)
from pykamal.core.source import Position

BUILT_IN_COMMANDS: Final = frozenset(
    name
    for group in (
        "setup deploy redeploy rollback details audit config docs init remove upgrade",
        "version accessory app build lock proxy prune registry secrets server",
    )
    for name in group.split()
)
"""Names that Ruby Kamal gives no alias (spec/config.md 15)."""

_SELECTORS: Final = ("host", "hosts", "role", "roles", "tag", "tags")
_LOG_LEVELS: Final = frozenset(("debug", "info", "warn", "error", "fatal", "unknown"))


def section_violations(root: MapNode, so_far: list[Violation]) -> list[Violation]:
    """Apply the rules to those parts that the schema found no fault with."""
    broken = {violation.path for violation in so_far if violation.path and violation.stage != OWN_STAGE}
    found = [
        *_registry(root, ("registry",), root.get("registry"), root.position),
        *_names(root),
        *_roles(root),
        *_accessories(root),
        *_aliases(root),
        *_builder(root),
        *_proxy(("proxy",), root.get("proxy")),
        *_output(root),
        *_endpoint(root),
        *_ssh(root),
        *proxy_extension_violations(root),
        *secrets_extension_violations(root),
    ]
    return [violation for violation in found if not _inside(violation.path, broken)]


def _inside(path: KeyPath, broken: set[KeyPath]) -> bool:
    return any(path[:length] in broken for length in range(1, len(path) + 1))


def is_uri(text: str) -> bool:
    """Tell whether RFC 3986 allows the characters; a scheme is not needed."""
    return bool(re.fullmatch(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*", text))


def is_local_registry(node: Node | None) -> bool:
    server = string(child(node, "server")) or ""
    return server.startswith(("localhost:", "localhost$"))


def _registry(root: MapNode, path: KeyPath, node: Node | None, otherwise: Position) -> Iterator[Violation]:
    if is_local_registry(node):
        return
    server = child(node, "server")
    if server is not None and text(server) is not None and string(server) is None:
        yield Violation(WRONG_TYPE, (*path, "server"), "should be a string", server.position, label="NoMethodError")
    position = node_at(root, path)[1] if node is not None else otherwise
    for key in ("username", "password"):
        given = child(node, key)
        if blank(given):
            at = given.position if given is not None else position
            expected = "a text, or a list with the name of a secret"
            yield Violation(MISSING_KEY, (*path, key), "is required", at, expected=expected)


def _names(root: MapNode) -> Iterator[Violation]:
    """Roles, accessories and aliases have texts as names; YAML makes others of `5:` and `off:`."""
    for section in ("servers", "accessories", "aliases"):
        node = root.get(section)
        for key, entry in node.entries.items() if isinstance(node, MapNode) else ():
            if isinstance(key, OtherKey):
                message = "the name should be a string; quote it"
                yield Violation(WRONG_TYPE, (section, str(key)), message, entry.key_position, label="NoMethodError")


def _roles(root: MapNode) -> Iterator[Violation]:
    primary = primary_role_name(root)
    own: list[Violation] = []
    for role in by_name(role_nodes(root)):
        settings = child(role.settings, "proxy")
        own += _proxy(("servers", role.name, "proxy"), settings)
    yield from own
    if own or list(_proxy(("proxy",), root.get("proxy"))):
        return
    for role in by_name(role_nodes(root)):
        settings = child(role.settings, "proxy")
        if isinstance(settings, MapNode):
            # What only the merged settings show is reported under the root's name, at the role's place.
            for violation in _proxy(("proxy",), role_proxy(root, role, primary)):
                yield Violation(violation.rule, violation.path, violation.text, settings.position, stage=MERGED_STAGE)


def _proxy(path: KeyPath, node: Node | None) -> Iterator[Violation]:
    if not isinstance(node, MapNode):
        return
    host, hosts, ssl = node.get("host"), node.get("hosts"), node.get("ssl")
    if truthy(ssl) and blank(host) and blank(hosts):
        message = "Must set a host to enable automatic SSL"
        yield Violation(MISSING_KEY, path, message, ssl.position if ssl else node.position)
    if host is not None and hosts is not None:
        places = f"`host` is set at {host.position}, `hosts` at {hosts.position}"
        message = "Specify one of 'host' or 'hosts', not both"
        yield Violation(CONFLICTING_SETTINGS, path, message, hosts.position, evidence=places)
    yield from _certificate(path, ssl)
    run = node.get("run")
    publish = child(run, "publish")
    published = (child(run, key) for key in ("http_port", "https_port", "bind_ips"))
    if publish is not None and not truthy(publish) and not all(blank(setting) for setting in published):
        message = "Cannot set http_port, https_port or bind_ips when publish is false"
        yield Violation(CONFLICTING_SETTINGS, path, message, publish.position)


def _certificate(path: KeyPath, ssl: Node | None) -> Iterator[Violation]:
    certificate, key = child(ssl, "certificate_pem"), child(ssl, "private_key_pem")
    for present, absent, name, other in (
        (certificate, key, "private_key_pem", "certificate_pem"),
        (key, certificate, "certificate_pem", "private_key_pem"),
    ):
        if present is not None and not blank(present) and blank(absent):
            message = f"Missing {name} setting (required when {other} is present)"
            yield Violation(MISSING_KEY, path, message, present.position)


def _accessories(root: MapNode) -> Iterator[Violation]:
    role_names = {role.name for role in role_nodes(root)}
    for name, node in entries(root.get("accessories")):
        if not isinstance(node, MapNode):
            continue
        path: KeyPath = ("accessories", name)
        position = node_at(root, path)[1]
        if sum(1 for key in _SELECTORS if node.get(key) is not None) != 1:
            message = "specify one of `host`, `hosts`, `role`, `roles`, `tag` or `tags`"
            yield Violation(CONFLICTING_SETTINGS, path, message, position, Phase.SELECTOR)
        yield from _role_references(path, node, role_names)
        yield from _proxy((*path, "proxy"), node.get("proxy"))
        registry = node.get("registry")
        if isinstance(registry, MapNode) and registry.entries:
            yield from _registry(root, (*path, "registry"), registry, position)


def _role_references(path: KeyPath, node: MapNode, role_names: set[str]) -> Iterator[Violation]:
    role, roles = node.get("role"), node.get("roles")
    if role is not None and not truthy(role):
        yield _no_string((*path, "role"), role)
        return
    wanted = [role] if role is not None else roles.items if isinstance(roles, ListNode) else []
    names = [(text(item) or "", item) for item in wanted]
    unknown = [name for name, _ in names if name not in role_names]
    if any(name in unknown and truthy(item) for name, item in names):
        at = role or roles
        position = at.position if at is not None else node.position
        plural = "s" if role is None else ""
        known = f"one of {', '.join(sorted(role_names))}" if role_names else None
        yield Violation(UNKNOWN_ROLE, path, f"unknown role{plural} {', '.join(unknown)}", position, expected=known)


def _aliases(root: MapNode) -> Iterator[Violation]:
    section = root.get("aliases")
    if not isinstance(section, MapNode):
        return
    for key, entry in section.entries.items():
        name = str(key)
        path: KeyPath = ("aliases", name)
        if not re.fullmatch(r"[a-z0-9_-]+", name):
            allowed = "lowercase letters, alphanumeric, hyphens and underscores"
            message = f"Invalid alias name: '{name}'. Must only contain {allowed}."
            yield Violation(INVALID_NAME, path, message, entry.key_position)
        elif name in BUILT_IN_COMMANDS:
            message = f"Alias '{name}' conflicts with a built-in command."
            yield Violation(RESERVED_NAME, path, message, entry.key_position)


def _builder(root: MapNode) -> Iterator[Violation]:
    node = root.get("builder")
    path: KeyPath = ("builder",)
    if node is not None and not isinstance(node, MapNode):
        return
    position = node_at(root, path)[1] if node is not None else root.position
    arch = child(node, "arch")
    if blank(arch) and not (isinstance(arch, ScalarNode) and arch.value is None):
        expected = "arch: amd64, arch: arm64 or a list of both"
        yield Violation(MISSING_KEY, path, "Builder arch not set", position, expected=expected)
    pack = child(node, "pack")
    if pack is not None and truthy(pack) and len(texts(arch)) > 1:
        message = "buildpacks only support building for one arch"
        yield Violation(CONFLICTING_SETTINGS, path, message, pack.position)
    local = child(node, "local")
    if local is not None and not truthy(local) and blank(child(node, "remote")):
        message = "Cannot disable local builds, no remote is set"
        yield Violation(CONFLICTING_SETTINGS, path, message, local.position)


def _output(root: MapNode) -> Iterator[Violation]:
    for name, key, message in (
        ("file", "path", "file path is required"),
        ("otel", "endpoint", "OTel endpoint is required"),
    ):
        node = child(root, "output", name)
        if isinstance(node, MapNode) and blank(node.get(key)):
            position = node_at(root, ("output", name))[1]
            yield Violation(MISSING_KEY, (), message, position, stage=RUNTIME_STAGE, label="ArgumentError")


def _endpoint(root: MapNode) -> Iterator[Violation]:
    endpoint = child(root, "output", "otel", "endpoint")
    address = (text(endpoint) or "").removesuffix("/")
    if endpoint is not None and not blank(endpoint) and not is_uri(f"{address}/v1/logs"):
        message = f'bad URI (is not URI?): "{address}/v1/logs"'
        label = "URI::InvalidURIError"
        yield Violation(INVALID_VALUE, (), message, endpoint.position, stage=RUNTIME_STAGE, label=label)


def _ssh(root: MapNode) -> Iterator[Violation]:
    level = child(root, "ssh", "log_level")
    name = text(level)
    if level is not None and name is not None and integer(level) is None and name.lower() not in _LOG_LEVELS:
        yield Violation(
            INVALID_VALUE,
            (),
            f"invalid log level: {name}",
            level.position,
            stage=RUNTIME_STAGE,
            label="ArgumentError",
            expected="debug, info, warn, error or fatal",
        )
    jump = child(root, "ssh", "proxy")
    if isinstance(jump, ScalarNode) and truthy(jump) and not isinstance(jump.value, str):
        yield _no_string(("ssh", "proxy"), jump)


def _no_string(path: KeyPath, node: Node) -> Violation:
    """A value that Ruby Kamal takes for a string when it is applied."""
    text = "should be a string"
    return Violation(WRONG_TYPE, path, text, node.position, stage=RUNTIME_STAGE, label="NoMethodError")
