"""The settings below `x-pykamal/secrets`."""

from __future__ import annotations

from collections.abc import Iterator

from pykamal.config.document import MapNode, Node
from pykamal.config.models.secrets_extension import (
    DeclaredSecret,
    SecretDelivery,
    SecretProvider,
    SecretsExtension,
)
from pykamal.config.node_reading import boolean, child, entries, text

COMMON_SETTINGS = ("adapter", "account", "from")
"""The keys that every provider has. All others are settings of its adapter."""


def secrets_extension(node: Node | None) -> SecretsExtension:
    return SecretsExtension(
        providers={name: _provider(settings) for name, settings in entries(child(node, "providers"))},
        declared={name: declared_secret(text(written) or "") for name, written in entries(child(node, "from"))},
        delivery=SecretDelivery(text(child(node, "delivery")) or SecretDelivery.FILE.value),
        guard=bool(boolean(child(node, "guard"))),
    )


def declared_secret(written: str) -> DeclaredSecret:
    """Read `PROVIDER:NAME`."""
    provider, _, name = written.partition(":")
    return DeclaredSecret(provider, name)


def _provider(node: Node) -> SecretProvider:
    return SecretProvider(
        adapter=text(child(node, "adapter")) or "",
        account=text(child(node, "account")) or None,
        source=text(child(node, "from")) or None,
        settings={key: value for key, setting in adapter_settings(node) if (value := text(setting))},
    )


def adapter_settings(node: Node | None, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """The settings of a provider's adapter that are no maps themselves, such as `auth/approle/role_id`."""
    for key, setting in entries(node):
        if not prefix and key in COMMON_SETTINGS:
            continue
        if isinstance(setting, MapNode):
            yield from adapter_settings(setting, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", setting
