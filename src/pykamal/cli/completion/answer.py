"""What a shell's script is told, in the form that this shell reads."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from pykamal.cli.completion.candidates import Candidate, candidates

SHELLS = ("bash", "zsh", "fish")

_ASSIGNMENT = re.compile(r"\w+=")
_END = "\0"


def answer(request: Sequence[str]) -> str:
    """Lines of candidates for `SHELL WORD...`; empty for whatever cannot be completed, errors included."""
    try:
        shell, *words = request
        if shell == "bash":
            words = split_line(words[0])[1:]
        return "".join(f"{_line(shell, candidate)}\n" for candidate in candidates(words))
    except Exception:  # somebody is in the middle of typing: an unreadable file is no reason to talk
        return ""


def split_line(line: str) -> list[str]:
    """The words of an unfinished command line, quotes removed; the last one is under the cursor and may be empty.

    Assignments in front of the program are left out. Raises ValueError for no words at all.
    """
    for closing in (_END, f"{_END}'", f'{_END}"'):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        while _ASSIGNMENT.match(words[0]):
            words.pop(0)
        return [word.replace(_END, "") for word in words]
    raise ValueError(line)


def _line(shell: str, candidate: Candidate) -> str:
    about = " ".join(candidate.about.split())
    match shell:
        case "zsh":
            value = candidate.value.replace(":", "\\:")
            return f"{value}:{about}" if about else value
        case "fish":
            return f"{candidate.value}\t{about}" if about else candidate.value
    return candidate.value
