"""Argument vectors of this machine's `ssh`, for interactive terminals and for proxy commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pykamal.commands.command import Command, query, shell_line
from pykamal.commands.words import with_tokens
from pykamal.config.models.extension import Extension, HostKeyPolicy
from pykamal.config.models.ssh import Ssh
from pykamal.core.host_strings import parse_host

PINNED_KNOWN_HOSTS: Final = ".kamal/known_hosts"
"""The project's own file of host keys, unless `x-pykamal/known_hosts` names another."""


def interactive(
    ssh: Ssh,
    host: str,
    command: Command | str,
    *,
    extension: Extension | None = None,
    terminal: bool = True,
    reads: bool = True,
    agent_has_keys: bool = False,
) -> list[str]:
    """The argument vector that replaces this process for a command with a terminal (spec/cli.md 7.1).

    `command` is for the login shell of the host and goes with its secrets revealed; it must not hold any, since
    arguments show in process lists. `terminal` tells that there is one here, which goes on there. Where there is none,
    a command that `reads` nothing gets one of its own all the same, because its end is what ends the command when the
    connection does. `agent_has_keys` tells that the agent of the environment has the keys of `key_data`, and them
    alone; see `with_agent`.
    """
    extension = extension or Extension()
    keys = _keys(ssh, agent_has_keys=agent_has_keys)
    address = parse_host(host)
    line = command if isinstance(command, Command) else shell_line(command)
    if not terminal and not reads:
        line = query("stty", "-opost").redirected("2> /dev/null").then(line)  # or its lines would end in CR LF
    return [
        *("ssh", *_config(ssh.config), *_tunnel(ssh, extension, keys), *keys, *_trust(extension)),
        "-A" if ssh.forward_agent else "-a",
        *(["-t"] if terminal else [] if reads else ["-n", "-tt"]),
        *(f"{address.user or ssh.user}@{address.name}", "-p", str(address.port or ssh.port)),
        line.shell_text(),
    ]


def with_agent(arguments: Sequence[str], descriptors: Sequence[int]) -> list[str]:
    """Run a program with an agent of its own, which ends with it, holding the keys read from these descriptors.

    So `ssh` can use keys that are in no file: they are in the agent's memory and never in an argument.
    """
    added = "".join(f"ssh-add -q - < /dev/fd/{descriptor}; " for descriptor in descriptors)
    return ["ssh-agent", "sh", "-c", f'{added}exec "$@"', "sh", *arguments]


def proxy_arguments(text: str, *, host: str, port: int, user: str, name: str) -> list[str]:
    """The argument vector of a ProxyCommand, `%h %p %r %n %%` replaced (ssh_config(5), TOKENS)."""
    line = with_tokens(text, {"h": host, "p": str(port), "r": user, "n": name, "%": "%"})
    return ["sh", "-c", line if line.lstrip().startswith("exec ") else f"exec {line}"]


def _config(config: bool | Sequence[str] | None) -> list[str]:
    if config is None or config is True:
        return []
    if config is False:
        return ["-F", "/dev/null"]
    return [word for path in config for word in ("-F", path)]


def _tunnel(ssh: Ssh, extension: Extension, keys: Sequence[str]) -> list[str]:
    if not ssh.proxy:
        return _option("ProxyCommand", ssh.proxy_command) if ssh.proxy_command else []
    if extension.host_key_policy is HostKeyPolicy.ACCEPT_NEW and extension.known_hosts is None:
        return ["-J", ssh.proxy]
    # `ssh -J` tells jump hosts nothing of what is said here, so other trust than ssh's own needs a longer line.
    return _option("ProxyCommand", _through(ssh.proxy, [*_config(ssh.config), *keys, *_trust(extension)]))


def _through(jumps: str, options: Sequence[str]) -> str:
    """Return the ProxyCommand through these jump hosts, each with the options."""
    before, _, last = jumps.rpartition(",")
    address = parse_host(last.strip())
    first = _option("ProxyCommand", _through(before, options)) if before else []
    user = ["-l", address.user] if address.user else []
    port = ["-p", str(address.port)] if address.port else []
    words = [word.replace("%", "%%") for word in (*first, *options, *user, *port)]
    return query("ssh", *words, "-W", "%h:%p", address.name.replace("%", "%%")).shell_text()


def _keys(ssh: Ssh, *, agent_has_keys: bool) -> list[str]:
    keys = [word for key in ssh.keys for word in ("-i", key)]
    if agent_has_keys:
        # With IdentitiesOnly it would offer no key of the agent that is in no file.
        no_default = _option("IdentityFile", "none") if ssh.keys_only and not keys else []
        return [*keys, *no_default, *_option("IdentityAgent", "SSH_AUTH_SOCK")]
    return [*keys, *_option("IdentitiesOnly", "yes")] if ssh.keys_only else keys


def _trust(extension: Extension) -> list[str]:
    """Return options for host keys that equal those of our own connections: a terminal must not accept more."""
    policy, file = extension.host_key_policy, extension.known_hosts
    checking = _option("StrictHostKeyChecking", "accept-new" if policy is HostKeyPolicy.ACCEPT_NEW else "yes")
    if policy is HostKeyPolicy.PINNED:
        own = _option("UserKnownHostsFile", file or PINNED_KNOWN_HOSTS)
        return [*checking, *own, *_option("GlobalKnownHostsFile", "/dev/null")]
    return [*checking, *_option("UserKnownHostsFile", file)] if file else checking


def _option(name: str, value: str) -> list[str]:
    return ["-o", f"{name}={value}"]
