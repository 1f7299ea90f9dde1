"""Problems with the configuration, worded for the person who wrote it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pykamal.config.limits import MAXIMUM_PROBLEMS
from pykamal.core.errors import ConfigurationError, Problem
from pykamal.core.source import Position

_WIDEST_QUOTE: Final = 160
_MAY_HOLD_A_SECRET: Final = re.compile(r"password|key_data|secret|token", re.IGNORECASE)


def quoted(lines: Sequence[str], position: Position) -> str | None:
    """The source line and, below it, a caret; None for a line that is not there or that may hold a secret."""
    if not 1 <= position.line <= len(lines):
        return None
    line = lines[position.line - 1].rstrip("\r")
    start = max(0, position.column - 1 - _WIDEST_QUOTE // 2) if len(line) > _WIDEST_QUOTE else 0
    shown = line[start : start + _WIDEST_QUOTE].replace("\t", " ")
    if _MAY_HOLD_A_SECRET.search(line, max(0, start - _WIDEST_QUOTE), start + _WIDEST_QUOTE):
        return None
    return f"{shown}\n{' ' * (position.column - 1 - start)}^"


def refusal(
    message: str,
    *,
    position: Position | None = None,
    source: str = "",
    label: str | None = None,
    expected: str | None = None,
    found: str | None = None,
    hint: str | None = None,
) -> ConfigurationError:
    """The error for one problem that ends loading at once, such as a file that is no YAML."""
    line = quoted(source.split("\n"), position) if position is not None and source else None
    problem = Problem(message, position=position, expected=expected, found=found, quoted_line=line)
    return ConfigurationError(message, problems=[problem], details=details([problem]), label=label, hint=hint)


def refusal_of_all(
    problems: Sequence[Problem], message: str, label: str | None, hint: str | None = None
) -> ConfigurationError:
    """The error for everything found in one run. `message` is what Ruby Kamal reports."""
    if hint is None and any(problem.suggestion for problem in problems):
        hint = "`kamal docs SECTION` lists every key of a section."
    return ConfigurationError(message, problems=problems, details=details(problems), label=label, hint=hint)


def details(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Lines that show each problem: where, what, expected and found, the nearest spelling, and the line it is in."""
    lines: list[str] = []
    for problem in problems[:MAXIMUM_PROBLEMS]:
        place = f"{problem.position}: " if problem.position is not None else ""
        lines.append(f"{place}{problem.message}")
        if problem.quoted_line is not None:
            lines.extend(f"    {line}" for line in problem.quoted_line.split("\n"))
        if problem.expected is not None:
            found = f", found {problem.found}" if problem.found is not None else ""
            lines.append(f"    expected {problem.expected}{found}")
        if problem.suggestion is not None:
            lines.append(f"    did you mean {problem.suggestion}?")
        if problem.note is not None:
            lines.append(f"    {problem.note}")
    if len(problems) > MAXIMUM_PROBLEMS:
        lines.append(f"and {len(problems) - MAXIMUM_PROBLEMS} more")
    return tuple(lines)
