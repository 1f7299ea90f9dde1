"""The `ssh` section: the login to hosts (spec/config.md 10)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ssh:
    """`config`: None or True reads the default client files, False none, a tuple exactly those.

    `proxy` is a jump host `user@host[:port][,...]` (`root@` already added when no user was given); `key_data` entries
    are names of secrets or, deprecated, keys themselves.
    """

    user: str = "root"
    port: int = 22
    proxy: str | None = None
    proxy_command: str | None = None
    log_level: str = "fatal"
    keys_only: bool = False
    keys: tuple[str, ...] = ()
    key_data: tuple[str, ...] = ()
    config: bool | tuple[str, ...] | None = None
    forward_agent: bool = False
    keepalive_interval: int = 30
