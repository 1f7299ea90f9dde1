"""`kamal app exec`, `accessory exec` and `server exec` (spec/cli.md 14.1, 14.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import in_terminal, operate
from pykamal.commands.words import render
from pykamal.core.sensitive import encoded
from pykamal.operations.accessory import exec as accessory
from pykamal.operations.app import exec as app
from pykamal.operations.hosts import server

_START_FIELD, _END_FIELD = 48, 49
"""Fields of `/proc/PID/stat` that tell where the kernel finds the arguments (proc(5))."""

_FIRST_BEHIND_NAME: Final = 3


def app_exec(invocation: Invocation) -> int:
    hide_values(invocation.options["env"] or {})
    command = command_line(invocation.arguments, literal=invocation.literal)
    if invocation.options["interactive"]:
        options = invocation.own("reuse", "env")
        return in_terminal(invocation, lambda context: app.interactive(context, command=command, **options))
    options = invocation.own("reuse", "env", "detach", "raw")
    return operate(invocation, lambda context: app.exec_(context, command=command, **options))


def accessory_exec(invocation: Invocation) -> int:
    name, *words = invocation.arguments
    command = command_line(words, literal=min(invocation.literal, len(words)))
    if invocation.options["interactive"]:
        reuse = invocation.options["reuse"]
        return in_terminal(
            invocation, lambda context: accessory.interactive(context, name=name, command=command, reuse=reuse)
        )
    options = invocation.own("reuse", "raw")
    return operate(invocation, lambda context: accessory.exec_(context, name=name, command=command, **options))


def server_exec(invocation: Invocation) -> int:
    command = command_line(invocation.arguments, literal=invocation.literal)
    if invocation.options["interactive"]:
        return in_terminal(invocation, lambda context: server.interactive(context, command=command))
    return operate(invocation, lambda context: server.exec_(context, command=command, **invocation.own("raw")))


def command_line(words: Sequence[str], *, literal: int = 0) -> str:
    """The command that an exec was given, in one string or in several words; the host's shell splits it again.

    The last `literal` of several words are words of one command, each as it is. A lone word is a line in any case.
    """
    as_lines = len(words) - literal if len(words) > 1 else 1
    return " ".join([*map(str.strip, words[:as_lines]), *(render(word, shown=False) for word in words[as_lines:])])


def hide_values(pairs: Mapping[str, str]) -> None:
    """Overwrite the values of arguments of the form `NAME:VALUE`. Does nothing where the system has no `/proc`."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = (int(fields[field - _FIRST_BEHIND_NAME]) for field in (_START_FIELD, _END_FIELD))
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            words = memory.read(end - start).split(b"\0")
            memory.seek(start)
            memory.write(b"\0".join(_hidden(word, pairs) for word in words))


def _hidden(word: bytes, pairs: Mapping[str, str]) -> bytes:
    for name, value in pairs.items():
        if word.endswith(encoded(f"{name}:{value}")):
            length = len(encoded(value))
            return word[: len(word) - length] + b"*" * length
    return word
