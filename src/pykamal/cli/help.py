"""Help and the tree of commands as text, made from the table alone (spec/cli.md 18.4)."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable

from pykamal.cli.options import GLOBAL, Kind, Option
from pykamal.cli.table import GROUPS, command_row, within
from pykamal.cli.table.row import CommandRow

Listed = tuple[str, str]
"""A command or an option, and a few words about it."""

_ENDING = (
    "`kamal COMMAND --help` shows the help of a command, `kamal tree` lists every command.",
    "Exit codes: 0 done, 1 failed, 2 usage error, 3 a bug in pykamal, 130 and 143 stopped by a signal.",
)


def topic_text(topic: str | None) -> str:
    """Return the help of a command or a group by its full name, or of everything."""
    if topic is None:
        rows = [(name, summary) for name, summary in GROUPS.items()]
        rows += [_listed(command) for command in within(None) if not command.hidden]
        return _overview(rows, *_ENDING)
    if topic in GROUPS:
        rows = [_listed(command) for command in within(topic) if not command.hidden]
        rows += [
            (f"{topic} help [COMMAND]", "Show these commands, or one of them"),
            (f"{topic} tree", "Show them as a tree"),
        ]
        return _overview(rows, f"{GROUPS[topic]}.")
    return _command(command_row(topic))


def tree_text(group: str | None = None) -> str:
    """Return the visible commands of a group, or of every group, as trees, without those that every group has."""
    if group is not None:
        return "\n".join(_tree(group, ""))
    lines = _tree(None, "")
    for name in GROUPS:
        lines += _tree(name, "  ")
    return "\n".join(lines)


def _overview(rows: Iterable[Listed], *ending: str) -> str:
    commands = _columns(sorted((f"kamal {usage}", summary) for usage, summary in rows))
    return "\n".join(["Commands:", *commands, "", "Options:", *_options(GLOBAL), "", *ending])


def _command(command: CommandRow) -> str:
    own = list(_options(command.options))
    inherited = [option for option in command.all_options if option not in command.options]
    lines = ["Usage:", f"  kamal {command.usage}", "", command.summary + "."]
    if command.passes_options:
        lines += ["Put -- before a command that has options of its own: -- ls -d /tmp"]
    if own:
        lines += ["", "Options:", *own]
    return "\n".join([*lines, "", "Options of every command:", *_options(inherited)])


def _options(options: Iterable[Option]) -> list[str]:
    return _columns((_option_usage(option), _option_text(option)) for option in options)


def _option_usage(option: Option) -> str:
    forms = option.forms if option.short else ("   ", *option.forms)
    return ", ".join(forms) if option.short else " ".join(forms)


def _option_text(option: Option) -> str:
    notes = [option.help]
    if option.choices:
        notes.append(f"({' or '.join(option.choices)})")
    if option.required:
        notes.append("(required)")
    if option.default is not None and option.kind is not Kind.FLAG:
        notes.append(f"[{option.default}]")
    return " ".join(notes)


def _columns(rows: Iterable[Listed]) -> list[str]:
    rows = list(rows)
    left = max((len(first) for first, _ in rows), default=0)
    width = max(30, _terminal_width() - left - 6)
    lines = []
    for first, second in rows:
        head, *more = textwrap.wrap(second, width)
        lines.append(f"  {first:{left}}  # {head}")
        lines += [f"  {'':{left}}    {line}" for line in more]
    return lines


def _terminal_width() -> int:
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
    except (OSError, ValueError):
        return 100


def _listed(command: CommandRow) -> Listed:
    return command.usage, command.summary


def _tree(group: str | None, indent: str) -> list[str]:
    rows = [(command.name, command.summary) for command in within(group) if not command.hidden and command.handler]
    if group is None:
        rows += GROUPS.items()
    rows.sort()
    lines = [f"{indent}kamal:cli:{group or 'main'}"]
    for number, (name, summary) in enumerate(rows, start=1):
        branch = "└─" if number == len(rows) else "├─"
        lines.append(f"{indent}  {branch} {name} ({summary})")
    return lines
