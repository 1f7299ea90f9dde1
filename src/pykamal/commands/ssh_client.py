"""The `ssh` program of this machine: for terminals that it takes over, and for the way to hosts that it opens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pykamal.commands.command import Command
from pykamal.config.models.extension import Extension, HostKeyPolicy
from pykamal.config.models.ssh import Ssh
from pykamal.core.hosts import parse_host

PINNED_KNOWN_HOSTS: Final = ".kamal/known_hosts"
"""The project's own file of host keys, unless `x-pykamal/known_hosts` names another."""


def interactive(ssh: Ssh, host: str, command: Command | str, *, extension: Extension | None = None) -> list[str]:
    """The argument vector that replaces this process for a command with a terminal (spec/cli.md 7.1).

    `command` is for the login shell of the host and goes with its secrets revealed; it must not hold any, since
    arguments show in process lists. `key_data` cannot be passed to `ssh`.
    """
    address = parse_host(host)
    text = command.wire() if isinstance(command, Command) else command
    target = f"{address.user or ssh.user}@{address.name}"
    return [*client(ssh, extension), "-t", target, "-p", str(address.port or ssh.port), text]


def client(ssh: Ssh, extension: Extension | None = None) -> list[str]:
    """`ssh` with its configuration files, the way, the keys and the trust in host keys, before `-t` and the host."""
    return ["ssh", *_config(ssh.config), *_way(ssh), *_keys(ssh), *_trust(extension or Extension())]


def proxy_arguments(text: str, *, host: str, port: int, user: str, name: str) -> list[str]:
    """The argument vector of a ProxyCommand, `%h %p %r %n %%` replaced (ssh_config(5), TOKENS)."""
    values = {"h": host, "p": str(port), "r": user, "n": name, "%": "%"}
    line = re.sub(r"%([hprn%])", lambda match: values[match[1]], text)
    return ["sh", "-c", line if line.lstrip().startswith("exec ") else f"exec {line}"]


def _config(config: bool | Sequence[str] | None) -> list[str]:
    if config is None or config is True:
        return []
    if config is False:
        return ["-F", "/dev/null"]
    return [word for path in config for word in ("-F", path)]


def _way(ssh: Ssh) -> list[str]:
    if ssh.proxy:
        return ["-J", ssh.proxy]
    return _option("ProxyCommand", ssh.proxy_command) if ssh.proxy_command else []


def _keys(ssh: Ssh) -> list[str]:
    keys = [word for key in ssh.keys for word in ("-i", key)]
    return [*keys, *_option("IdentitiesOnly", "yes")] if ssh.keys_only else keys


def _trust(extension: Extension) -> list[str]:
    """The same trust as for the connections that we make: a terminal must not accept what they refuse."""
    policy, file = extension.host_key_policy, extension.known_hosts
    checking = _option("StrictHostKeyChecking", "accept-new" if policy is HostKeyPolicy.ACCEPT_NEW else "yes")
    if policy is HostKeyPolicy.PINNED:
        own = _option("UserKnownHostsFile", file or PINNED_KNOWN_HOSTS)
        return [*checking, *own, *_option("GlobalKnownHostsFile", "/dev/null")]
    return [*checking, *_option("UserKnownHostsFile", file)] if file else checking


def _option(name: str, value: str) -> list[str]:
    return ["-o", f"{name}={value}"]
