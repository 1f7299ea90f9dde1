"""The errors of a command that was called with the wrong arguments (spec/cli.md 1.3)."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.cli.table.row import CommandRow
from pykamal.core.errors import UsageError


def called_with(row: CommandRow, arguments: Sequence[str], hint: str | None = None) -> UsageError:
    """Ruby Kamal's words, and how to call the command unless there is a better hint."""
    listed = ", ".join(f'"{argument}"' for argument in arguments)
    with_what = f"arguments [{listed}]" if arguments else "no arguments"
    return UsageError(f'ERROR: "kamal {row.path}" was called with {with_what}', hint=hint or usage(row))


def usage(row: CommandRow) -> str:
    return f'Usage: "kamal {row.usage}"'
