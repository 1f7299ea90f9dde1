"""The answer to a shell's completion script: candidates in the form that the shell reads, written as they are found."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from pykamal.cli.completion.bash_line import bash_line
from pykamal.cli.completion.candidates import Candidate, candidates
from pykamal.core.printable import printable

SHELLS: Final = ("bash", "zsh", "fish")

DEADLINE_SECONDS: Final = 0.25
"""Behind TAB, 0.3 seconds with the start of the interpreter; `KAMAL_COMPLETION_SECONDS` is for slow machines."""


def complete(request: Sequence[str]) -> None:
    """Write the answer to standard output. At the deadline this process is ended, whatever it is doing."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a handler of ours would wait for the end of a long search
    signal.setitimer(signal.ITIMER_REAL, _deadline())
    for line in answer(request):
        os.write(1, f"{line}\n".encode())


def _deadline() -> float:
    chosen = os.environ.get("KAMAL_COMPLETION_SECONDS", "")
    return float(chosen) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", chosen) else DEADLINE_SECONDS


def answer(request: Sequence[str]) -> Iterator[str]:
    """A line for each candidate of `SHELL WORD...`; none for what cannot be completed, errors included.

    Bash hands over its line up to the cursor, and the part of it that the candidate will replace.
    """
    with suppress(Exception):  # somebody is in the middle of typing: an unreadable file is no reason to talk
        shell, *words = request
        match shell:
            case "bash":
                line = bash_line(*words)
                yield from (line.insertion(each.value) for each in _printable(line.words[1:]))
            case "zsh":
                for each in _printable(words):
                    yield _described(each.value.replace("\\", "\\\\").replace(":", "\\:"), ":", each.about)
            case "fish":
                for each in _printable(words):
                    yield _described(each.value, "\t", each.about)


def _printable(words: Sequence[str]) -> Iterator[Candidate]:
    """Names come from the project's files, and a terminal obeys control characters: such names are no candidates."""
    return (candidate for candidate in candidates(words) if candidate.value.isprintable())


def _described(value: str, separator: str, about: str) -> str:
    shown = printable(" ".join(about.split()))
    return f"{value}{separator}{shown}" if shown else value
