"""Asks the user before a command does what cannot be undone (spec/cli.md 12.6)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from pykamal.cli.invocation import Invocation
from pykamal.core.errors import UsageError
from pykamal.core.printable import print_line, printable
from pykamal.events import Tone

NOT_CONFIRMED: Final = 1
"""Exit code of a command that was not done because nobody agreed to it."""


def confirmed(invocation: Invocation, question: str) -> bool:
    """Ask for the user's consent: exactly `y`, or `--confirmed`. The end of input is a no; a no is told as `Aborted`.

    A plan needs no consent. Raises `UsageError` where machines read the output, who cannot be asked.
    """
    refuse_unasked(invocation)
    if _consented(invocation):
        return True
    while True:
        _put(question)
        line = sys.stdin.readline()
        answer = _understood(line)
        if answer is False:
            invocation.bus.say("Aborted", Tone.PROBLEM)
            if not line:
                invocation.bus.say("Nobody answered: --confirmed (-y) does it without asking")
        if answer is not None:
            return answer


def refuse_unasked(invocation: Invocation) -> None:
    """Raise `UsageError` where `confirmed` will: before anything is read for a question that cannot be put."""
    if invocation.json and not _consented(invocation):
        raise UsageError(f"kamal {invocation.command} --output json cannot ask", hint="add --confirmed")


def _consented(invocation: Invocation) -> bool:
    return bool(invocation.options["confirmed"] or invocation.options.get("plan"))


def asker(invocation: Invocation) -> Callable[[str], Awaitable[bool]] | None:
    """Return the way to ask during a flow; None where nobody is at a terminal, or machines read the output.

    A plan takes consent for granted where a run would ask for it.
    """
    if invocation.json or not sys.stdin.isatty():
        return None
    return _agreed if invocation.options.get("plan") else _ask


async def _agreed(_: str) -> bool:
    return True


async def _ask(question: str) -> bool:
    while True:
        _put(question)
        answer = _understood(await _typed_line())
        if answer is not None:
            return answer


async def _typed_line() -> str:
    """Read the next line of the terminal; an interrupt ends the wait for it."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), readable.set)
    try:
        await readable.wait()
        return sys.stdin.readline()
    finally:
        loop.remove_reader(sys.stdin.fileno())


def _put(question: str) -> None:
    sys.stdout.write(printable(f"{question} [y, N] (N) "))
    sys.stdout.flush()


def _understood(line: str) -> bool | None:
    """Return the answer in a line, None for another word; the end of input is a no."""
    match line.strip():
        case "y":
            return True
        case "" | "N":
            if not line:
                print_line("")
            return False
    print_line("Your response must be one of: [y, N]. Please try again.")
    return None
