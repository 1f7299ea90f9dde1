"""pykamal's own keys, all below the root key `x-pykamal`, which Ruby Kamal ignores."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pykamal.config.models.proxy_extension import ProxyExtension
from pykamal.config.models.secrets_extension import SecretsExtension


class HostKeyPolicy(Enum):
    """The policy for a host key that known_hosts does not hold. A changed key is refused under each of them."""

    STRICT = "strict"
    """Refuse unknown hosts."""
    ACCEPT_NEW = "accept-new"
    """Add unknown hosts to known_hosts, as Ruby Kamal does."""
    PINNED = "pinned"
    """Trust only the project's own file (`known_hosts`, default `.kamal/known_hosts`)."""


@dataclass(frozen=True, slots=True)
class Extension:
    """`known_hosts` is the file to check and, with `accept-new`, to extend; None is the user's own file."""

    host_key_policy: HostKeyPolicy = HostKeyPolicy.ACCEPT_NEW
    known_hosts: str | None = None
    proxy: ProxyExtension = ProxyExtension()
    secrets: SecretsExtension = SecretsExtension()
