"""The answer to a shell's completion script: candidates in the form that the shell reads, written as they are found."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from pykamal.cli.completion.bash_line import bash_line
from pykamal.cli.completion.candidates import Candidate, candidates
from pykamal.core.printable import printable

SHELLS: Final = ("bash", "zsh", "fish")


def complete(request: Sequence[str]) -> None:
    """Write the answer to standard output, each candidate as soon as it is known."""
    with suppress(OSError):  # the shell waits no longer
        for line in answer(request):
            os.write(1, f"{line}\n".encode())


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
