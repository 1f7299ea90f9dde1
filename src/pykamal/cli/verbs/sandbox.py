"""`kamal sandbox ...`: throwaway servers on this machine."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from pykamal.cli.invocation import Invocation
from pykamal.cli.option_values import command_line
from pykamal.events import Bus, Result
from pykamal.sandbox import Sandbox, Status
from pykamal.sandbox.paths import DEFAULT_NAME


def run(invocation: Invocation) -> int:
    sandbox = Sandbox(invocation.options["name"])
    bus = invocation.bus
    match invocation.name:
        case "up":
            _up(sandbox, bus, invocation.options["hosts"])
        case "down":
            bus.say(f"Removed the sandbox {sandbox.name}" if sandbox.down() else _missing(sandbox))
        case "ssh":
            host, *words = invocation.arguments
            _become_ssh(sandbox, host, words, literal=min(invocation.literal, len(words)))
        case "env":
            for name, value in sandbox.environment().items():
                bus.emit(Result(text=f"export {name}={shlex.quote(value)}"))
        case "status":
            status = sandbox.status()
            bus.emit(Result(text=_missing(sandbox) if status is None else _shown(status)))
    return 0


def _up(sandbox: Sandbox, bus: Bus, hosts: int) -> None:
    made = sandbox.up(hosts=hosts, say=bus.say)
    bus.say(f"The sandbox {sandbox.name} is up" if made else f"The sandbox {sandbox.name} was up already")
    for file in sandbox.copy_project(Path.cwd()):
        bus.say(f"Created {file}")
    status = sandbox.status()
    if status is not None:
        bus.emit(Result(text=_shown(status)))
    option = "" if sandbox.name == DEFAULT_NAME else f" --name {sandbox.name}"
    bus.say(f'Next: eval "$(kamal sandbox env{option})" && kamal setup')


def _shown(status: Status) -> str:
    lines = [
        f"{name:12} {status.addresses.get(name, ''):15} {'running' if alive else 'dead'}"
        for name, alive in {**status.hosts, **status.services}.items()
    ]
    return "\n".join([*lines, f"{'registry':12} {status.registry}", f"{'project':12} {status.project}"])


def _missing(sandbox: Sandbox) -> str:
    return f"There is no sandbox {sandbox.name}"


def _become_ssh(sandbox: Sandbox, host: str, words: Sequence[str], *, literal: int) -> None:
    arguments = sandbox.ssh_argv(host, [command_line(words, literal=literal)] if words else [])
    sys.stdout.flush()
    os.execvp(arguments[0], arguments)  # noqa: S606 - the terminal belongs to ssh from here on
