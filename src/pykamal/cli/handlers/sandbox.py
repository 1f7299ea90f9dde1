"""`kamal sandbox ...`: throwaway servers on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pykamal.cli.handlers.exec import command_line
from pykamal.cli.invocation import Invocation
from pykamal.commands.words import quoted
from pykamal.events import Result
from pykamal.sandbox import Sandbox, Status
from pykamal.sandbox.paths import DEFAULT_NAME


def up(invocation: Invocation) -> int:
    sandbox, say = _sandbox(invocation), invocation.bus.say
    made = sandbox.up(hosts=invocation.options["hosts"], say=say)
    say(f"The sandbox {sandbox.name} is up" if made else f"The sandbox {sandbox.name} was up already")
    for file in sandbox.copy_project(Path.cwd()):
        say(f"Created {file}")
    if sandbox.status() is not None:
        status(invocation)
    option = "" if sandbox.name == DEFAULT_NAME else f" --name {sandbox.name}"
    say(f'Next: eval "$(kamal sandbox env{option})" && kamal setup')
    return 0


def down(invocation: Invocation) -> int:
    sandbox = _sandbox(invocation)
    invocation.bus.say(f"Removed the sandbox {sandbox.name}" if sandbox.down() else _missing(sandbox))
    return 0


def ssh(invocation: Invocation) -> int:
    """Replace this process by `ssh`, to which the terminal belongs from here on."""
    host, *words = invocation.arguments
    line = [command_line(words, literal=min(invocation.literal, len(words)))] if words else []
    arguments = _sandbox(invocation).ssh_argv(host, line)
    sys.stdout.flush()
    os.execvp(arguments[0], arguments)  # noqa: S606 - no shell is wanted


def env(invocation: Invocation) -> int:
    for name, value in _sandbox(invocation).environment().items():
        invocation.bus.emit(Result(text=f"export {name}={quoted([value])}"))
    return 0


def status(invocation: Invocation) -> int:
    sandbox = _sandbox(invocation)
    found = sandbox.status()
    invocation.bus.emit(Result(text=_missing(sandbox) if found is None else _shown(found)))
    return 0


def _sandbox(invocation: Invocation) -> Sandbox:
    return Sandbox(invocation.options["name"])


def _shown(status: Status) -> str:
    lines = [
        f"{name:12} {status.addresses.get(name, ''):15} {'running' if alive else 'dead'}"
        for name, alive in {**status.hosts, **status.services}.items()
    ]
    return "\n".join([*lines, f"{'registry':12} {status.registry}", f"{'project':12} {status.project}"])


def _missing(sandbox: Sandbox) -> str:
    return f"There is no sandbox {sandbox.name}"
