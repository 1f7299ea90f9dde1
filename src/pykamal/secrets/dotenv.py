"""Parses secrets files (spec/cli.md 16.1) with the grammar of Ruby's dotenv, command substitution included.

`entries` finds where keys and values are written; `parse` gives the values. White space means what it means there:
it may contain line breaks, before `=` as well as before an opening quote.
"""

from __future__ import annotations

import os
import string
from collections import ChainMap
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pykamal.core.catalogue.files import MISSING_VALUE, NUL_BYTE, SECRET_COMMAND_FAILED
from pykamal.core.diagnostics import Diagnostic, Location, Rule
from pykamal.core.errors import ConfigurationError, KamalError
from pykamal.core.source import Position
from pykamal.secrets import expansion
from pykamal.secrets.expansion import Substitute


class SubstitutionFailed(Exception):
    """A command failed. Its output is used as the value all the same, as in Ruby Kamal."""

    def __init__(self, exit_status: int, output: str) -> None:
        super().__init__(f"exit status {exit_status}")
        self.output = output


_SPACE: Final = frozenset(" \t\n\r\f\v")
_KEY: Final = frozenset(string.ascii_letters + string.digits + "_.")


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
    failed: Callable[[Entry, KamalError], None] | None = None,
) -> dict[str, str]:
    """Return keys and values in the order of first appearance; a later entry replaces an earlier one.

    `$NAME` is looked up in the entries above it, then in `environment`. `warn` is told of commands that ended badly and
    of what a value loses, which is no error in Ruby. Raises `ConfigurationError` for an `export` of a key that has no
    value and for a value with a NUL byte, and what `substitute` raises, with the line. With `failed`, that gets the
    error instead, and the entry is left out, as are those that refer to it.
    """
    broken: set[str] = set()
    values: dict[str, str] = {}
    variables = ChainMap(values, dict(environment))
    for entry in entries(text):
        try:
            value = _value(entry, variables, substitute, file=file, warn=warn, broken=broken)
        except KamalError as error:
            if failed is None:
                raise
            failed(entry, error)
            broken.add(entry.key)
            continue
        if value is not None:
            values[entry.key] = value
    return values


def _value(
    entry: Entry,
    variables: ChainMap[str, str],
    substitute: Substitute,
    *,
    file: str,
    warn: Callable[[Diagnostic], None] | None,
    broken: Container[str],
) -> str | None:
    """Return the value of an entry; None for an `export` of a key that has its value above."""
    where = Position(file, entry.line)
    if entry.value is None and entry.exported:
        if entry.key not in variables.maps[0]:
            hint = f"write {entry.key}=VALUE in {file}, or remove the line"
            raise _error(MISSING_VALUE, where, f"`export {entry.key}` has no value", hint)
        return None
    for name in sorted(expansion.references(entry.value or "")):
        if name in broken:
            raise KamalError(f"{entry.key} refers to {name}, which failed")
    value = expansion.value(
        entry.value or "",
        variables,
        _located(substitute, where, f"the command of {entry.key}", warn),
        line_breaks=variables.get("DOTENV_LINEBREAK_MODE") == "legacy",
        lost=_lost(entry.key, where, warn),
    )
    if "\0" in value:
        message = f"{entry.key} holds a NUL byte, which no environment variable and no command can carry"
        raise _error(NUL_BYTE, where, message, "encode it, in base64 for instance, and let what uses it decode it")
    return value


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


def _lost(key: str, where: Position, warn: Callable[[Diagnostic], None] | None) -> expansion.Lost | None:
    """Return what makes a warning of a loss, once for each kind of it."""
    if warn is None:
        return None
    seen: set[str] = set()

    def tell(rule: Rule, what: str, remedy: str | None) -> None:
        if what not in seen:
            seen.add(what)
            warn(rule.diagnostic(f"{key} {what}", Location(where), remedy=remedy))

    return tell


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
