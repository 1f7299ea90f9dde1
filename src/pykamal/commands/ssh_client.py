"""The `ssh` program of this machine: for terminals that it takes over, and for the way to hosts that it opens."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pykamal.commands.command import Command
from pykamal.config.models.ssh import Ssh


def interactive(
    ssh: Ssh, host: str, command: Command | str, *, user: str | None = None, port: int | None = None
) -> list[str]:
    """The argument vector that replaces this process for a command with a terminal (spec/cli.md 7.1).

    `command` is for the login shell of the host and goes with its secrets revealed; it must not hold any, since
    arguments show in process lists. `key_data` cannot be passed to `ssh`.
    """
    text = command.wire() if isinstance(command, Command) else command
    return [*base(ssh), "-t", f"{user or ssh.user}@{host}", "-p", str(port or ssh.port), text]


def base(ssh: Ssh) -> list[str]:
    """`ssh` with the configuration, the way and the keys, before `-t` and the host."""
    return ["ssh", *_config(ssh.config), *_way(ssh), *_keys(ssh)]


def _config(config: bool | Sequence[str] | None) -> list[str]:
    if config is None or config is True:
        return []
    if config is False:
        return ["-F", "/dev/null"]
    return [word for path in config for word in ("-F", path)]


def _way(ssh: Ssh) -> list[str]:
    if ssh.proxy:
        return ["-J", ssh.proxy]
    return ["-o", f"ProxyCommand={ssh.proxy_command}"] if ssh.proxy_command else []


def _keys(ssh: Ssh) -> list[str]:
    keys = [word for key in ssh.keys for word in ("-i", key)]
    return [*keys, "-o", "IdentitiesOnly=yes"] if ssh.keys_only else keys


def proxy_arguments(text: str, *, host: str, port: int, user: str, name: str) -> list[str]:
    """The argument vector of a ProxyCommand, `%h %p %r %n %%` replaced (ssh_config(5), TOKENS)."""
    values = {"h": host, "p": str(port), "r": user, "n": name, "%": "%"}
    line = re.sub(r"%([hprn%])", lambda match: values[match[1]], text)
    return ["sh", "-c", line if line.lstrip().startswith("exec ") else f"exec {line}"]
