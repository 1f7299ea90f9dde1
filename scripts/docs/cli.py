"""Writes the reference of every command and event as Markdown, from the tables that also parse and write them.

`python -m scripts.docs.cli docs/cli.md` writes both between the marks of that file.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pykamal.cli.options import GLOBAL, Kind, Option
from pykamal.cli.table import GROUPS, within
from pykamal.cli.table.row import CommandRow, Effect
from pykamal.commands import hooks
from pykamal.events import types
from pykamal.events.json_lines import as_mapping, kind


def with_reference(text: str) -> str:
    """Return a document with its generated parts made anew."""
    text = _replaced(text, "options", _options(GLOBAL))
    text = _replaced(text, "events", _events())
    text = _replaced(text, "effects", _effects())
    text = _replaced(text, "hooks", _hooks())
    return _replaced(text, "commands", _commands())


def _replaced(text: str, name: str, lines: Iterable[str]) -> str:
    beginning, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = text.partition(beginning)
    _, _, after = rest.partition(end)
    return "\n".join([f"{before}{beginning}", "", *lines, "", f"{end}{after}"])


def _commands() -> Iterator[str]:
    for group in (None, *GROUPS):
        yield f"### `kamal {group}`: {_lowered(GROUPS[group])}" if group else "### Top level"
        yield ""
        yield "| command | what it does | options |"
        yield "| --- | --- | --- |"
        for command in within(group):
            yield _row(f"`{command.usage.removeprefix(f'{group} ')}`", _format_command(command), _own_options(command))
        yield ""


_EFFECTS = (
    ("deploy lock while it changes hosts, and a log", (Effect.LOCKED, Effect.DEPLOYS)),
    ("a log", (Effect.LOGGED,)),
    ("neither; it changes hosts or this machine", (Effect.CHANGES,)),
)


def _effects() -> Iterator[str]:
    yield "| lock and log | commands |"
    yield "| --- | --- |"
    for meaning, effects in _EFFECTS:
        rows = [row for group in (None, *GROUPS) for row in within(group) if row.effect in effects]
        yield _row(meaning, ", ".join(f"`{_format_condition(row)}`" for row in rows))


def _format_condition(row: CommandRow) -> str:
    """The command, with the option or argument that it needs to do more than to look."""
    if not row.looks_without:
        return row.path
    is_argument = row.looks_without in row.argument_names
    return f"{row.path} {row.looks_without.upper() if is_argument else f'--{row.looks_without}'}"


def _format_command(command: CommandRow) -> str:
    return f"{command.summary} (not listed by help)" if command.hidden else command.summary


def _own_options(command: CommandRow) -> str:
    return ", ".join(f"`{'/'.join(option.forms)}`" for option in command.options)


def _options(options: Iterable[Option]) -> Iterator[str]:
    yield "| option | meaning | default |"
    yield "| --- | --- | --- |"
    for option in options:
        default = "" if option.kind is Kind.FLAG or option.default is None else f"`{option.default}`"
        yield _row(f"`{', '.join(option.forms)}`", option.help, default)


def _hooks() -> Iterator[str]:
    yield "| hook | when | variables of its own |"
    yield "| --- | --- | --- |"
    for hook in hooks.HOOKS:
        yield _row(f"`{hook.name}`", hook.about, _variables(hook))
    yield ""
    yield "| variable of every hook | value |"
    yield "| --- | --- |"
    for name, value in hooks.COMMON_VARIABLES.items():
        yield _row(f"`{name}`", value)


def _variables(hook: hooks.Hook) -> str:
    own = [f"`{name}`: {value}" for name, value in hook.variables.items()]
    return "; ".join([*own, *(["the secrets"] if hook.gets_secrets else [])])


def _events() -> Iterator[str]:
    yield "| event | when | fields |"
    yield "| --- | --- | --- |"
    for event in _event_types():
        fields = [name for name in as_mapping(_sample(event)) if name not in ("version", "event", "at")]
        when = " ".join((inspect.getdoc(event) or "").split())
        yield _row(f"`{kind(event)}`", when, ", ".join(f"`{name}`" for name in fields))


def _event_types() -> list[type[types.Event]]:
    from pykamal.operations.execution.printing import PlanPrinted

    found = [each for each in vars(types).values() if isinstance(each, type) and issubclass(each, types.Event)]
    return [*(each for each in found if each is not types.Event), PlanPrinted]


def _sample(event: type[types.Event]) -> types.Event:
    required = [field.name for field in dataclasses.fields(event) if field.default is dataclasses.MISSING]
    values: dict[str, Any] = {name: "" for name in required if name != "at"}
    return event(**values)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(with_reference(document.read_text(encoding="utf-8")), encoding="utf-8")
