"""The secrets that a configuration names (spec/config.md 1.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pykamal.config.document import ListNode, MapNode, Node, ScalarNode
from pykamal.config.models import Accessory, Config, Registry, Role, SecretReference
from pykamal.config.node_reading import text
from pykamal.core.source import Position

_PLACES: Final = tuple(
    tuple(place.split("/"))
    for place in (
        "registry/username/*",
        "registry/password/*",
        "builder/secrets/*",
        "env/secret/*",
        "env/tags/*/secret/*",
        "servers/*/env/secret/*",
        "proxy/ssl/certificate_pem",
        "proxy/ssl/private_key_pem",
        "servers/*/proxy/ssl/certificate_pem",
        "servers/*/proxy/ssl/private_key_pem",
        "accessories/*/registry/username/*",
        "accessories/*/registry/password/*",
        "accessories/*/env/secret/*",
        "ssh/key_data/*",
        "x-pykamal/proxy/basic_auth/users/*",
    )
)
"""The settings of deploy.yml that name secrets; `*` is any key, or any place of a list."""


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A place in deploy.yml that names a secret."""

    name: str
    setting: str
    position: Position


def secret_uses(config: Config) -> Iterator[SecretUse]:
    """Yield every place that names a secret, in the order of the settings above and of the file."""
    for use in secret_uses_in(config.document) if config.document is not None else ():
        if not (config.registry.local and use.setting.startswith("registry/")):
            yield use


def secret_uses_in(root: MapNode) -> Iterator[SecretUse]:
    """The same of files that have not been validated; a local registry's credentials, which nobody uses, too."""
    for place in _PLACES:
        for path, node in _at(root, place):
            written = text(node) or ""
            name = SecretReference.parse(written).secret if "env" in place else written
            if name and not (place[0] == "ssh" and _is_key(name)):
                yield SecretUse(name, "/".join(path), node.position)


def _at(node: Node, place: tuple[str, ...], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], ScalarNode]]:
    """Yield the scalars at a place, with their paths."""
    match node:
        case ScalarNode() if not place:
            yield path, node
        case MapNode() if place:
            for key, below in node.items():
                if place[0] in ("*", key):
                    yield from _at(below, place[1:], (*path, key))
        case ListNode() if place[:1] == ("*",):
            for index, below in enumerate(node.items):
                yield from _at(below, place[1:], (*path, str(index)))


def key_secret_names(config: Config) -> Iterator[str]:
    """Names of the secrets that hold private keys; a key in deploy.yml itself is none."""
    return (entry for entry in config.ssh.key_data if not _is_key(entry))


def _is_key(written: str) -> bool:
    """Return True for a private key in deploy.yml itself, which Ruby Kamal accepts too."""
    return "-----BEGIN" in written


def names_secrets(config: Config) -> bool:
    """Return True where the configuration uses any secret, or declares one."""
    return bool(config.extension.secrets.declared) or next(secret_uses(config), None) is not None


def app_secret_names(config: Config, roles: Iterable[Role], *, builds: bool) -> Iterator[str]:
    """Names of the secrets that a deploy of these roles uses; with `builds` those of the image build too."""
    roles = tuple(roles)
    yield from credential_names(config.registry)
    yield from config.builder.secrets if builds else ()
    for role in roles:
        for host in role.host_names:
            yield from (reference.secret for reference in role.env_on(host).secret_references)
        ssl = role.proxy.ssl if role.proxy is not None else None
        if ssl is not None and ssl.certificate_pem and ssl.private_key_pem:
            yield from (ssl.certificate_pem, ssl.private_key_pem)
    if any(role.running_proxy for role in roles):
        yield from config.extension.proxy.users.values()


def accessory_secret_names(accessories: Iterable[Accessory]) -> Iterator[str]:
    """Names of the secrets that these accessories use."""
    for accessory in accessories:
        yield from credential_names(accessory.registry)
        yield from (reference.secret for reference in accessory.env.secret_references)


def credential_names(registry: Registry | None) -> Iterator[str]:
    """Names of the secrets of a registry that one logs in to."""
    if registry is None or registry.local:
        return
    for credential in (registry.username, registry.password):
        if credential is not None and credential.secret is not None:
            yield credential.secret
