"""Handing the terminal over to `ssh`, for interactive commands and for following logs (spec/cli.md 7.1)."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from pykamal.commands import ssh_client
from pykamal.commands.command import Command
from pykamal.config.models import Config
from pykamal.core.errors import DependencyError
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus


def become_ssh(
    config: Config,
    host: str,
    command: Command,
    bus: Bus,
    *,
    reads: bool = True,
    key_data: Sequence[Sensitive] = (),
) -> NoReturn:
    """Replace this process by the `ssh` that runs a command on a host; its exit status is then the command's.

    `reads` tells that the command wants input. `key_data` are the texts of private keys. Raises `DependencyError`
    without an OpenSSH client on this machine.
    """
    arguments = ssh_client.interactive(
        replace(config.ssh, config=_existing(config.ssh.config)),
        host,
        command,
        extension=config.extension,
        terminal=sys.stdin.isatty(),
        reads=reads,
        agent_has_keys=bool(key_data),
    )
    bus.log(f"Running {shlex.join([*arguments[:-1], str(command)])}", host=host)
    if key_data:
        arguments = ssh_client.with_agent(arguments, [_pipe(key) for key in key_data])
    sys.stdout.flush()
    try:
        os.execvp(arguments[0], arguments)  # noqa: S606 - no shell is wanted: the terminal is ssh's now
    except FileNotFoundError as error:
        raise DependencyError(
            f"{arguments[0]} is not installed on this machine",
            hint="install the OpenSSH client: commands with a terminal need it",
        ) from error


def _existing(files: bool | Sequence[str] | None) -> bool | tuple[str, ...] | None:
    """The value of `ssh/config` as `ssh -F` needs it: `~` expanded, without the files that are not there.

    None of the files there is as good as no file, as for the connections that we make ourselves.
    """
    if files is None or isinstance(files, bool):
        return files
    paths = [Path(file).expanduser() for file in files]
    return tuple(str(path) for path in paths if path.is_file()) or False


def _pipe(text: Sensitive) -> int:
    """The descriptor of a pipe that holds a text, a few kilobytes at most, for the program that takes our place."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        pipe.write(text.reveal().rstrip("\n") + "\n")
    os.set_inheritable(reading, True)
    return reading
