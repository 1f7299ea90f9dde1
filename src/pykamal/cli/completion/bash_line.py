"""The unfinished command line of bash: its words, and how a candidate is written into it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

_ASSIGNMENT: Final = re.compile(r"\w+=")
_CURSOR: Final = "\0"
_NEEDS_BACKSLASH: Final = re.compile(r"[^\w@%+=:,./-]")
_QUOTED: Final = {
    "'": {"'": "'\\''"},
    '"': {"\\": "\\\\", '"': '\\"', "$": "\\$", "`": "\\`", "!": '"\\!"'},
}
"""How a character is written between quotes where it does not stand for itself."""


@dataclass(frozen=True, slots=True)
class BashLine:
    """`words` without their quotes, from the program to the word under the cursor, which may be empty.

    Bash replaces the end of the last word only: it keeps the text `kept`, behind which the quote `quote` is open, if
    it is not empty.
    """

    words: list[str]
    kept: str
    quote: str

    def insertion(self, candidate: str) -> str:
        """Quote a candidate for the place of the cursor, so that bash reads the word as the candidate itself."""
        text = candidate.removeprefix(self.kept)
        if not self.quote:
            home = "~/" if text.startswith("~/") else ""
            return home + _NEEDS_BACKSLASH.sub(r"\\\g<0>", text.removeprefix(home))
        written = "".join(_QUOTED[self.quote].get(character, character) for character in text)
        # Bash closes the quote, unless it takes the last character for the end of it.
        return written + self.quote if written.endswith(self.quote) else written


def bash_line(line: str, replaced: str) -> BashLine:
    """Read a line up to the cursor, of which bash replaces the last part. Raises ValueError for anything else."""
    if not line.endswith(replaced):
        raise ValueError(replaced)
    words, _ = _split(line)
    before, quote = _split(line[: len(line) - len(replaced)])
    return BashLine(words, before[-1], quote)


def _split(line: str) -> tuple[list[str], str]:
    """The words, assignments in front of the program left out, and the quote that is open at the end."""
    for quote in ("", "'", '"'):
        try:
            words = shlex.split(line + _CURSOR + quote)
        except ValueError:
            continue
        while _ASSIGNMENT.match(words[0]):
            words.pop(0)
        return [word.replace(_CURSOR, "") for word in words], quote
    raise ValueError(line)
