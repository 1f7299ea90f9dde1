"""Asks the user at the terminal, one question at a time."""

from __future__ import annotations

import asyncio
import getpass
import sys
from contextlib import suppress

from pykamal.core.printable import printable
from pykamal.core.sensitive import Sensitive


class Prompts:
    """Questions for secrets. Each question is asked once a run; without a terminal the answer is None at once."""

    def __init__(self) -> None:
        self._answers: dict[str, Sensitive | None] = {}
        self._turn = asyncio.Lock()

    async def secret(self, question: str) -> Sensitive | None:
        """The answer, which is not shown while it is typed; None without a terminal, for no answer, and at its end."""
        async with self._turn:
            if question not in self._answers:
                self._answers[question] = await self._ask(question)
            return self._answers[question]

    async def _ask(self, question: str) -> Sensitive | None:
        if not sys.stdin.isatty():
            return None
        typed = ""
        with suppress(EOFError):
            typed = await asyncio.get_running_loop().run_in_executor(None, getpass.getpass, printable(question))
        return Sensitive(typed) if typed else None
