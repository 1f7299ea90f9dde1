"""Parses secrets files (spec/cli.md 16.1) with the grammar of Ruby's dotenv, command substitution included.

`entries` finds where keys and values are written; `parse` gives the values. White space means what it means there:
it may contain line breaks, before `=` as well as before an opening quote.
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pykamal.core.catalogue.files import MISSING_VALUE, NUL_BYTE, SECRET_COMMAND_FAILED
from pykamal.core.diagnostics import Diagnostic, Location, Rule
from pykamal.core.errors import ConfigurationError, KamalError
from pykamal.core.source import Position

Substitute = Callable[[str], str]
"""Runs the text between `$(` and `)` and gives its standard output. Raises `SubstitutionFailed` or a `KamalError`."""


class SubstitutionFailed(Exception):
    """A command failed. Its output is used as the value all the same, as in Ruby Kamal."""

    def __init__(self, exit_status: int, output: str) -> None:
        super().__init__(f"exit status {exit_status}")
        self.output = output


_SPACE: Final = frozenset(" \t\n\r\f\v")
_KEY: Final = frozenset(string.ascii_letters + string.digits + "_.")
_NAME: Final = frozenset(string.ascii_letters + string.digits + "_")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value as written, quotes included; `value` is None where there is none. Lines count from 1."""

    key: str
    value: str | None
    exported: bool
    line: int


def parse(
    text: str,
    *,
    substitute: Substitute,
    environment: Mapping[str, str] = os.environ,
    file: str = ".kamal/secrets",
    warn: Callable[[Diagnostic], None] | None = None,
) -> dict[str, str]:
    """Return keys and values in the order of first appearance; a later entry replaces an earlier one.

    `$NAME` is looked up in the entries above it, then in `environment`. `warn` is told of commands that ended badly.
    Raises `ConfigurationError` for an `export` of a key that has no value and for a value with a NUL byte, and what
    `substitute` raises, with the line.
    """
    values: dict[str, str] = {}
    legacy = environment.get("DOTENV_LINEBREAK_MODE")
    for entry in entries(text):
        where = Position(file, entry.line)
        if entry.value is None and entry.exported:
            if entry.key not in values:
                hint = f"write {entry.key}=VALUE in {file}, or remove the line"
                raise _error(MISSING_VALUE, where, f"`export {entry.key}` has no value", hint)
            continue
        mode = values.get("DOTENV_LINEBREAK_MODE", legacy)
        run = _located(substitute, where, f"the command of {entry.key}", warn)
        value = _value(entry.value or "", values, environment, run, line_breaks=mode == "legacy")
        if "\0" in value:
            message = f"{entry.key} holds a NUL byte, which no environment variable and no command can carry"
            raise _error(NUL_BYTE, where, message, "encode it, in base64 for instance, and let what uses it decode it")
        values[entry.key] = value
    return values


def _error(rule: Rule, where: Position, message: str, hint: str) -> ConfigurationError:
    diagnostic = rule.diagnostic(message, Location(where), remedy=hint)
    return ConfigurationError(str(diagnostic), diagnostics=[diagnostic], hint=hint)


def _located(
    substitute: Substitute, where: Position, what: str, warn: Callable[[Diagnostic], None] | None
) -> Substitute:
    """Add the position of a failed command to its error. The command's text is left out: it may hold secrets."""

    def run(command: str) -> str:
        try:
            return substitute(command)
        except SubstitutionFailed as ended:
            if warn is not None:
                printed = "" if ended.output else " and printed nothing"
                warn(SECRET_COMMAND_FAILED.diagnostic(f"{what} ended with {ended}{printed}", Location(where)))
            return ended.output
        except KamalError as error:
            error.details = (*error.details, f"{where}: {what} failed")
            raise

    return run


# -- where entries are


def entries(text: str) -> Iterator[Entry]:
    """Yield the entries in order; other lines are skipped."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    position = 0
    while position < len(text):
        start = _skip(text, position, _SPACE)
        found = _entry(text, start)
        if found is not None:
            entry, position = found
            yield entry
        else:
            position = start
        end_of_line = text.find("\n", position)
        position = len(text) if end_of_line < 0 else end_of_line + 1


def _entry(text: str, start: int) -> tuple[Entry, int] | None:
    line = text.count("\n", 0, start) + 1
    after = _skip(text, start + len("export"), _SPACE)
    if text.startswith("export", start) and after > start + len("export"):
        found = _assignment(text, after)
        if found is not None:
            key, value, end = found
            return Entry(key, value, True, line), end
    found = _assignment(text, start)
    if found is None:
        return None
    key, value, end = found
    return Entry(key, value, False, line), end


def _assignment(text: str, start: int) -> tuple[str, str | None, int] | None:
    """Return the key, the raw value and the position behind them."""
    key_end = _skip(text, start, _KEY)
    if key_end == start:
        return None
    key = text[start:key_end]
    sign = _skip(text, key_end, _SPACE)
    if text[sign : sign + 1] == "=":
        value, end = _raw_value(text, sign + 1)
        return key, value, end
    if text[key_end : key_end + 1] == ":" and text[key_end + 1 : key_end + 2] in _SPACE:
        value, end = _raw_value(text, key_end + 2)
        return key, value, end
    return (key, None, key_end) if _ends_line(text, key_end) else None


def _raw_value(text: str, start: int) -> tuple[str | None, int]:
    quote = _skip(text, start, _SPACE)
    if text[quote : quote + 1] in ("'", '"'):
        for closing in _closing_quotes(text, quote):
            if _ends_line(text, closing + 1):
                return text[quote : closing + 1], closing + 1
    end = start
    while end < len(text) and text[end] not in "#\n":
        end += 1
    return (text[start:end] or None), end


def _closing_quotes(text: str, opening: int) -> Iterator[int]:
    """Yield where a quoted value may end: the first quote without a backslash before it, else the last one."""
    quote = text[opening]
    escaped = []
    position = text.find(quote, opening + 1)
    while position >= 0:
        if text[position - 1] != "\\" or position - 1 == opening:
            yield position
            break
        escaped.append(position)
        position = text.find(quote, position + 1)
    yield from reversed(escaped)


def _ends_line(text: str, position: int) -> bool:
    rest = _skip(text, position, frozenset(" \t\f\v"))
    return rest == len(text) or text[rest] in "#\n"


def _skip(text: str, position: int, characters: frozenset[str]) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


# -- what values mean


def _value(
    raw: str, values: Mapping[str, str], environment: Mapping[str, str], substitute: Substitute, *, line_breaks: bool
) -> str:
    text = raw.strip(" \t\n\r\f\v\0")
    quote = text[0] if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0] else ""
    if quote:
        text = text[1:-1]
    if quote == "'":
        return text
    if quote == '"':
        text = _escaped_line_breaks(text, real=line_breaks)
    text = _without_backslashes(text)

    def expand(part: str) -> str:
        return _with_variables(part, values, environment)

    return expand(_with_commands(text, lambda command: substitute(expand(command))))


def _escaped_line_breaks(text: str, *, real: bool) -> str:
    if real:
        return text.replace("\\n", "\n").replace("\\r", "\r")
    return text.replace("\\n", "\\\\n").replace("\\r", "\\\\r")


def _without_backslashes(text: str) -> str:
    """Remove each backslash that does not stand before `$`."""
    out = []
    position = 0
    while position < len(text):
        following = text[position + 1 : position + 2]
        if text[position] == "\\" and following not in ("", "$"):
            out.append(following)
            position += 2
        else:
            out.append(text[position])
            position += 1
    return "".join(out)


def _with_commands(text: str, run: Substitute) -> str:
    out = []
    position = 0
    while position < len(text):
        escaped = text.startswith("\\$(", position)
        dollar = position + escaped
        end = _closing_parenthesis(text, dollar + 1) if text.startswith("$(", dollar) else None
        if end is None:
            out.append(text[position])
            position += 1
        else:
            out.append(text[dollar : end + 1] if escaped else run(text[dollar + 2 : end]))
            position = end + 1
    return "".join(out)


def _closing_parenthesis(text: str, opening: int) -> int | None:
    """Return the position of the closing parenthesis; None where there is none, or nothing between the two."""
    depth = 0
    position = opening
    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] in ("(", ")"):
            position += 1
        elif character == "(":
            depth += 1
        elif character == ")":
            if text[position - 1] == "(" and text[position - 2 : position - 1] != "\\":
                return None
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return None


def _with_variables(text: str, values: Mapping[str, str], environment: Mapping[str, str]) -> str:
    out = []
    position = 0
    while position < len(text):
        escaped = text.startswith("\\$", position)
        dollar = position + escaped
        if text[dollar : dollar + 1] != "$" or text[dollar + 1 : dollar + 2] == "(":
            out.append(text[position])
            position += 1
            continue
        start = dollar + 1 + text.startswith("{", dollar + 1)
        stop = _skip(text, start, _NAME)
        end = stop + text.startswith("}", stop)
        name = text[start:stop]
        if escaped or not name:
            out.append(text[dollar:end])
        else:
            out.append(values[name] if name in values else environment.get(name, ""))
        position = end
    return "".join(out)
