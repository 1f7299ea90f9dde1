"""Events and exit codes of errors, for people and for machines (spec/cli.md 4.5, 5)."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from pykamal import KAMAL_VERSION, __version__
from pykamal.cli.invocation import Invocation
from pykamal.cli.renderers import connected
from pykamal.core.errors import (
    ConfigurationError,
    HostErrors,
    Interrupted,
    KamalError,
    LockError,
    SelectionError,
    executing_on,
)
from pykamal.core.printable import print_error
from pykamal.events import Result, RunFailed

BUG = 3
_SAYS_IT_ALL = frozenset({KamalError.identifier, Interrupted.identifier})
"""Identifiers of errors of which the catalogue knows no more than their message tells."""


def report(error: Exception, invocation: Invocation | None) -> int:
    """Show an error; its exit code. What was not raised on purpose is a bug and leaves a log file.

    `invocation` is None when the error came before the command line was understood.
    """
    if invocation is None:
        invocation = connected(Invocation(""))
    error = _lone(error)
    if isinstance(error, KamalError):
        if isinstance(error, ConfigurationError | SelectionError) and not invocation.misread:
            error.hint = "\n".join(filter(None, [error.hint, invocation.advice])) or None
        failure = failed(error, invocation.command)
        code = error.exit_code
    else:
        failure = _bug(error, invocation)
        code = BUG
    invocation.bus.emit(failure)
    if invocation.tracebacks:
        _show_traceback(error, invocation)
    return code


def _lone(error: Exception) -> Exception:
    """The error itself, out of the groups that task groups put around it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def failed(error: KamalError, operation: str) -> RunFailed:
    """The event of an error: where it happened, its evidence, that of every host when several failed."""
    # Scripts look for the line about the lock as a whole (spec/cli.md 8.2).
    names_host = error.host is None or error.host in error.message or isinstance(error, LockError)
    return RunFailed(
        operation=operation,
        identifier=error.identifier,
        label=error.label,
        message=error.message if names_host else executing_on(error.host, error.message),
        host=error.host,
        details=tuple(_details(error)),
        hint=error.hint,
        identifiers=tuple(each for each in error.identifiers if each not in _SAYS_IT_ALL),
    )


def _details(error: KamalError) -> list[str]:
    if isinstance(error, Interrupted) and isinstance(error.__cause__, KamalError):
        return [f"while stopping: {error.__cause__.message}", *error.__cause__.details]
    if not isinstance(error, HostErrors) or len(error.errors) == 1:
        shown = {error.message, *(f"{error.message} [{identifier}]" for identifier in error.identifiers)}
        return [line for line in error.details if line not in shown]
    lines: list[str] = []
    for each in error.errors:
        if each.details:
            lines += [f"{each.host}:", *(f"  {line}" for detail in each.details for line in detail.splitlines())]
    return lines


def _bug(error: Exception, invocation: Invocation) -> RunFailed:
    try:
        where = _log(error, invocation)
    except OSError as unwritten:
        where = f"nowhere ({unwritten.strerror}); run again with --debug"
    return RunFailed(
        operation=invocation.command,
        identifier="bug",
        label=type(error).__name__,
        message=str(error) or "no message",
        hint=f"this is a bug in pykamal: please report it with the log, which is in {where}",
    )


def _log(error: Exception, invocation: Invocation) -> str:
    """Write the traceback to a file that only this user can read; arguments may be secret and are left out."""
    descriptor, path = tempfile.mkstemp(prefix="kamal-bug-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"pykamal {__version__} (Kamal {KAMAL_VERSION}), Python {sys.version}, {sys.platform}\n")
        file.write(f"kamal {invocation.command}\n\n")
        file.write(invocation.bus.sanitized_text("".join(traceback.format_exception(error))))
    return path


def _show_traceback(error: Exception, invocation: Invocation) -> None:
    text = "".join(traceback.format_exception(error)).rstrip()
    if invocation.json:
        print_error(invocation.bus.sanitized_text(text))
    else:
        invocation.bus.emit(Result(text=text))
