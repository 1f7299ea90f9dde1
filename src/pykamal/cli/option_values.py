"""Arguments and options in the form that operations take them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pykamal.cli.invocation import Invocation
from pykamal.commands.logs import LogSelection
from pykamal.commands.words import render
from pykamal.core.errors import UsageError

_LOG_OPTIONS = ("since", "lines", "grep", "grep_options")


def command_line(words: Sequence[str], *, literal: int = 0) -> str:
    """The command that an exec was given, in one string or in several words; the host's shell splits it again.

    The last `literal` of several words are words of one command, each as it is. A lone word is a line in any case.
    """
    as_lines = len(words) - literal if len(words) > 1 else 1
    return " ".join([*map(str.strip, words[:as_lines]), *(render(word, shown=False) for word in words[as_lines:])])


def log_selection(invocation: Invocation) -> LogSelection:
    """Read the selection of log lines from the options; a command may lack some of them. Raises `UsageError`."""
    known = [key for key in _LOG_OPTIONS if key in invocation.options]
    try:
        shlex.split(invocation.options.get("grep_options") or "")
    except ValueError as error:
        raise UsageError(f"The value of --grep-options cannot be split into words: {error}") from error
    return LogSelection(**invocation.own(*known), timestamps=not invocation.options["skip_timestamps"])


def refuse_together(invocation: Invocation, option: str, *others: str) -> None:
    """Raises `UsageError` when `option` was given with one of the others (spec/cli.md 14.4)."""
    present = [other for other in others if invocation.options.get(other)]
    if invocation.options.get(option) and present:
        raise UsageError(f"{option.capitalize()} is not compatible with {' or '.join(present)}")
