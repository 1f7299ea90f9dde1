"""Settings below `x-pykamal/secrets`: the secret managers, and the secrets that come from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    """`providers` and `declared` are by name. Validation sees to it that each provider of a secret is there."""

    providers: Mapping[str, SecretProvider] = field(default_factory=dict)
    declared: Mapping[str, DeclaredSecret] = field(default_factory=dict)
