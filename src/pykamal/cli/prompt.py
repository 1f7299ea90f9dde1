"""Questions before what cannot be undone (spec/cli.md 12.6)."""

from __future__ import annotations

import sys

from pykamal.cli.invocation import Invocation
from pykamal.core.errors import UsageError
from pykamal.events import Tone


def confirmed(invocation: Invocation, question: str) -> bool:
    """Whether the user agrees: exactly `y`, or `--confirmed`. The end of input is a no; a no is told as `Aborted`."""
    if invocation.options["confirmed"]:
        return True
    if invocation.json:
        raise UsageError(f"kamal {invocation.command} --output json cannot ask", hint="add --confirmed")
    while True:
        sys.stdout.write(f"{question} [y, N] (N) ")
        sys.stdout.flush()
        answer = sys.stdin.readline()
        if answer.strip() == "y":
            return True
        if answer.strip() in ("", "N"):
            if not answer:
                sys.stdout.write("\n")
            invocation.bus.say("Aborted", Tone.PROBLEM)
            return False
        sys.stdout.write("Your response must be one of: [y, N]. Please try again.\n")
