"""What is said to somebody who called a command with the wrong arguments (spec/cli.md 1.3)."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.cli.table import Entry
from pykamal.core.errors import UsageError


def called_with(entry: Entry, arguments: Sequence[str], hint: str | None = None) -> UsageError:
    """Ruby Kamal's words, and how to call the command unless there is a better hint."""
    listed = ", ".join(f'"{argument}"' for argument in arguments)
    with_what = f"arguments [{listed}]" if arguments else "no arguments"
    return UsageError(f'ERROR: "kamal {entry.path}" was called with {with_what}', hint=hint or usage(entry))


def usage(entry: Entry) -> str:
    return f'Usage: "kamal {entry.usage}"'
