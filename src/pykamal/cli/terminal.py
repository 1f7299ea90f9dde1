"""Handing the terminal over to `ssh`, for interactive commands and for following logs (spec/cli.md 7.1)."""

from __future__ import annotations

import os
import shlex
import sys
from typing import NoReturn

from pykamal.commands import ssh_client
from pykamal.commands.command import Command
from pykamal.config.models import Config
from pykamal.events import Bus


def become_ssh(config: Config, host: str, command: Command, bus: Bus) -> NoReturn:
    """Replace this process by the `ssh` that runs a command on a host; its exit status is then the command's."""
    arguments = ssh_arguments(config, host, command)
    bus.log(f"Running {shlex.join([*arguments[:-1], str(command)])}", host=host)
    sys.stdout.flush()
    os.execvp(arguments[0], arguments)  # noqa: S606 - no shell is wanted: the terminal is ssh's now


def ssh_arguments(config: Config, host: str, command: Command) -> list[str]:
    """`ssh` with what deploy.yml says of connections, the host and the command."""
    return ssh_client.interactive(config.ssh, host, command, extension=config.extension)
