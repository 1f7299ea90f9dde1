"""Expands the values of secrets files as Ruby's dotenv does (spec/cli.md 16.1), and tells what they lose by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from pykamal.core.catalogue.secrets import (
    EATEN_DOLLAR,
    NO_COMMAND,
    PROGRAM_NOT_FOUND,
    SHELL_EXPANSION,
    UNSET_VARIABLE,
)
from pykamal.core.diagnostics import Rule
from pykamal.core.spelling import nearest

Substitute: TypeAlias = Callable[[str], str]
"""Runs the text between `$(` and `)` and gives its standard output. Raises `SubstitutionFailed` or a `KamalError`."""

Lost: TypeAlias = Callable[[Rule, str, str | None], None]
"""Takes the rule of a loss, what it is, and a remedy where the rule's own is not enough. None has text of a value."""

Span: TypeAlias = tuple[int, int]

_REFERENCE: Final = re.compile(r"(\\?)\$(?!\()(\{?)([A-Za-z0-9_]*)(\}?)")
"""The variables of dotenv, escaped or not. An opening brace needs no closing one, nor the other way round."""

_OWN_FETCH: Final = re.compile(r"\bkamal\s+secrets\s+fetch\b")


def value(
    raw: str, variables: Mapping[str, str], substitute: Substitute, *, line_breaks: bool, lost: Lost | None = None
) -> str:
    """Return the value of an entry as written, with its quotes. `lost` is told what the value is not.

    `line_breaks` makes `\\n` in double quotes a line break.
    """
    text = raw.strip(" \t\n\r\f\v\0")
    quote = text[0] if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0] else ""
    if quote:
        text = text[1:-1]
    if quote == "'":
        return text
    if quote == '"':
        text = _escaped_line_breaks(text, real=line_breaks)
    text = _without_backslashes(text)
    escaping = False

    def run(command: str) -> str:
        nonlocal escaping
        escaping = escaping or _escapes(command)
        if lost is not None:
            _tell_of_missing_programs(command, variables, lost)
        return substitute(_with_variables(command, variables, lost))

    text, outputs = _with_commands(text, run, lost)
    return _with_variables(text, variables, lost, outputs=outputs, escaping=escaping)


def references(raw: str) -> frozenset[str]:
    """Return the names of the variables that a value as written refers to."""
    if raw.strip().startswith("'"):
        return frozenset()
    return frozenset(found[3] for found in _REFERENCE.finditer(raw) if found[3] and not found[1])


def _escaped_line_breaks(text: str, *, real: bool) -> str:
    if real:
        return text.replace("\\n", "\n").replace("\\r", "\r")
    return text.replace("\\n", "\\\\n").replace("\\r", "\\\\r")


def _without_backslashes(text: str) -> str:
    """Remove each backslash that does not stand before `$`."""
    return re.sub(r"\\([^$])", r"\1", text, flags=re.DOTALL)


# -- commands


def _with_commands(text: str, run: Substitute, lost: Lost | None) -> tuple[str, list[Span]]:
    """Return the text with the output of its commands, and where in it the output is."""
    out: list[str] = []
    outputs: list[Span] = []
    length = position = 0
    while position < len(text):
        escaped = text.startswith("\\$(", position)
        dollar = position + escaped
        end = _closing_parenthesis(text, dollar + 1) if text.startswith("$(", dollar) else None
        if end is None:
            if lost is not None and text.startswith("$(", position) and text[position - 1 : position] != "\\":
                lost(NO_COMMAND, "has a `$(` that is not taken for a command, and stays as text", None)
            piece = text[position]
            position += 1
        elif escaped:
            piece = text[dollar : end + 1]
            position = end + 1
        else:
            piece = run(text[dollar + 2 : end])
            outputs.append((length, length + len(piece)))
            position = end + 1
        out.append(piece)
        length += len(piece)
    return "".join(out), outputs


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


def _escapes(command: str) -> bool:
    """Return True where a command seems to write backslashes of its own, for `$` to stay."""
    return "\\" in command or _OWN_FETCH.search(command) is not None


def _tell_of_missing_programs(command: str, variables: Mapping[str, str], lost: Lost) -> None:
    path = variables.get("PATH")
    if path is None:
        return
    from pykamal.secrets.shell_programs import missing_programs

    for program in missing_programs(command, path):
        lost(PROGRAM_NOT_FOUND, f"runs {program}, which is not installed here", None)


# -- variables


def _with_variables(
    text: str,
    variables: Mapping[str, str],
    lost: Lost | None,
    *,
    outputs: Sequence[Span] = (),
    escaping: bool = False,
) -> str:
    """Replace the variables. Those in `outputs` were no variables of the file: they are what a manager holds."""

    def replaced(found: re.Match[str]) -> str:
        escape, brace, name, closing = found.groups()
        kept = found[0].removeprefix("\\")
        of_output = any(start <= found.start() < end for start, end in outputs)
        if lost is not None and of_output and (not escaping if escape else name):
            lost(EATEN_DOLLAR, "loses a `$` or what follows it: `$(...)` printed one, and it was read anew", None)
        elif lost is not None and not of_output and name and not escape:
            _tell_of_reference(name, brace, closing, variables, lost)
        return kept if escape or not name else variables.get(name, "")

    return _REFERENCE.sub(replaced, text)


def _tell_of_reference(name: str, brace: str, closing: str, variables: Mapping[str, str], lost: Lost) -> None:
    """Tell what became of a variable. Only a name in braces is repeated: `pa$word` may be a password."""
    if brace and not closing:
        lost(SHELL_EXPANSION, f"has `${{{name}...}}` with more than a name in it, of which only the name counts", None)
    elif name not in variables:
        named = f"`${{{name}}}`" if brace else "a `$` and a name"
        meant = nearest(name, variables)
        lost(UNSET_VARIABLE, f"has {named} that is not set, so nothing is there", meant and f"Did you mean {meant}?")
