"""Handing the terminal over to `ssh`, for interactive commands and for following logs (spec/cli.md 7.1)."""

from __future__ import annotations

import os
import shlex
import sys
from typing import NoReturn

from pykamal.commands import ssh_client
from pykamal.commands.command import Command
from pykamal.config.models import Config, Extension, HostKeyPolicy
from pykamal.events import Bus
from pykamal.transport.hosts import parse_host


def become_ssh(config: Config, host: str, command: Command, bus: Bus) -> NoReturn:
    """Replace this process by the `ssh` that runs a command on a host; its exit status is then the command's."""
    arguments = ssh_arguments(config, host, command)
    bus.log(f"Running {shlex.join([*arguments[:-1], str(command)])}", host=host)
    sys.stdout.flush()
    os.execvp(arguments[0], arguments)  # noqa: S606 - no shell is wanted: the terminal is ssh's now


def ssh_arguments(config: Config, host: str, command: Command) -> list[str]:
    """`ssh` with what deploy.yml says of connections, the host and the command."""
    address = parse_host(host)
    program, *rest = ssh_client.interactive(config.ssh, address.name, command, user=address.user, port=address.port)
    return [program, *_trust(config.extension), *rest]


def _trust(extension: Extension) -> list[str]:
    """The same trust as for the connections that we make: an interactive run must not accept what they refuse."""
    from pykamal.transport.host_keys import PINNED_FILE  # with the SSH library, which few commands need this early

    policy = extension.host_key_policy
    words = ["-o", f"StrictHostKeyChecking={'accept-new' if policy is HostKeyPolicy.ACCEPT_NEW else 'yes'}"]
    known_hosts = extension.known_hosts or (PINNED_FILE if policy is HostKeyPolicy.PINNED else None)
    return words if known_hosts is None else [*words, "-o", f"UserKnownHostsFile={known_hosts}"]
