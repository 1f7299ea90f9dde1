"""Settings below `x-pykamal/secrets`: the secret managers, and the secrets that come from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class SecretDelivery(Enum):
    """A way of keeping the env files of containers on a host."""

    FILE = "file"
    """As Ruby Kamal keeps them."""
    TMPFS = "tmpfs"
    """In memory, where a reboot of the host empties it."""
    ENCRYPTED = "encrypted"
    """On disk, encrypted with age to a key of the host."""


@dataclass(frozen=True, slots=True)
class SecretProvider:
    """A secret manager of deploy.yml.

    `account` and `source` are what `kamal secrets fetch` has as `--account` and `--from`. `settings` are those of the
    adapter by key, such as `auth/approle/role_id`.
    """

    adapter: str
    account: str | None = None
    source: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredSecret:
    """The place of a secret: the name of its provider, and its name there."""

    provider: str
    name: str


@dataclass(frozen=True, slots=True)
class SecretsExtension:
    """`providers` and `declared` are by name. Validation sees to it that each provider of a secret is there.

    With `guard`, a deploy searches for leaked secrets first.
    """

    providers: Mapping[str, SecretProvider] = field(default_factory=dict)
    declared: Mapping[str, DeclaredSecret] = field(default_factory=dict)
    delivery: SecretDelivery = SecretDelivery.FILE
    guard: bool = False
