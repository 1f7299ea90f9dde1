"""Regular expressions of templates: the part of Ruby's that can be matched in a bounded time.

Python's matcher backtracks as Ruby's does, so what could make it run for long is refused: quantified groups that hold
quantifiers or alternatives, and texts that are long for the number of `*` and `+`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_POSIX_CLASSES: Final = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "word": r"\w",
    "xdigit": "0-9a-fA-F",
}
_SAME_ESCAPES: Final = frozenset("dDwWsSbBAntrf0")
_LONGEST_TEXT: Final = (100_000, 10_000, 464, 100, 40)
"""By the number of unbounded quantifiers, so that no match takes much more than a hundred million steps."""

_LARGEST_REPEAT: Final = 64
_BOUNDS: Final = re.compile(r"\{(\d{1,3})(,(\d{0,3}))?\}")
_POSIX: Final = re.compile(r"\[:(\w+):\]")


class Unsupported(Exception):
    """The pattern uses something that is not supported; the text says what."""


@dataclass(frozen=True, slots=True)
class Regexp:
    """A compiled regular expression that refuses texts which are too long for it."""

    source: str
    flags: str
    compiled: re.Pattern[str]
    unbounded: int

    def on(self, text: str) -> re.Pattern[str]:
        """What matches `text`. Raises ValueError when matching could take too long."""
        if len(text) > _LONGEST_TEXT[self.unbounded]:
            raise ValueError("the text is too long for this regular expression")
        return self.compiled

    def __str__(self) -> str:
        chosen = "".join(flag for flag in "mix" if flag in self.flags)
        others = "".join(flag for flag in "mix" if flag not in self.flags)
        return f"(?{chosen}-{others}:{self.source})"


def compiled(source: str, flags: str) -> Regexp:
    """Raises Unsupported for what is not in the subset or is no regular expression."""
    if not set(flags) <= set("im"):
        raise Unsupported(f"the flag {flags}")
    translation = _Translation(source)
    text = translation.run()
    options = re.MULTILINE | re.ASCII
    options |= re.IGNORECASE if "i" in flags else 0
    options |= re.DOTALL if "m" in flags else 0
    try:
        return Regexp(source, flags, re.compile(text, options), translation.unbounded)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unsupported(f"this ({error})") from None


class _Translation:
    """Ruby's notation into Python's, one element after the other."""

    def __init__(self, source: str) -> None:
        self.unbounded = 0
        self._source = source
        self._position = 0
        self._result: list[str] = []
        self._open: list[int] = []
        self._complex_since: list[bool] = []
        self._last_was_complex_group = False

    def run(self) -> str:
        if len(self._source) > 500:
            raise Unsupported("one of more than 500 characters")
        while self._position < len(self._source):
            self._element(self._source[self._position])
        return "".join(self._result)

    def _element(self, character: str) -> None:
        if character in "*+?{" and (character != "{" or _BOUNDS.match(self._source, self._position)):
            self._quantifier(character)
            return
        self._last_was_complex_group = False
        if character == "\\":
            self._escape()
        elif character == "[":
            self._character_class()
        elif character == "(":
            self._group()
        elif character == ")":
            self._last_was_complex_group = self._complex_since.pop() if self._complex_since else False
            self._mark(self._last_was_complex_group)
            self._take(")")
        else:
            self._mark(character == "|")
            self._take("\\{" if character == "{" else character)

    def _take(self, text: str, length: int = 1) -> None:
        self._result.append(text)
        self._position += length

    def _mark(self, complicated: bool) -> None:
        if complicated and self._complex_since:
            self._complex_since[-1] = True

    def _quantifier(self, character: str) -> None:
        bounds = _BOUNDS.match(self._source, self._position) if character == "{" else None
        length = len(bounds.group()) if bounds else 1
        endless = character in "*+" or (bounds is not None and bool(bounds[2]) and not bounds[3])
        if bounds is not None and max(int(bounds[1]), int(bounds[3] or 0)) > _LARGEST_REPEAT:
            raise Unsupported(f"more than {_LARGEST_REPEAT} repeats")
        if self._last_was_complex_group and character != "?":
            raise Unsupported("a repeated group of repeats or alternatives")
        self.unbounded += endless
        if self.unbounded >= len(_LONGEST_TEXT):
            raise Unsupported("more than four of * and +")
        self._mark(True)
        self._last_was_complex_group = True
        self._take(self._source[self._position : self._position + length], length)
        following = self._source[self._position : self._position + 1]
        if following == "?":
            self._take("?")
        elif following and following in "*+{":
            raise Unsupported("a quantifier behind a quantifier")

    def _escape(self) -> None:
        following = self._source[self._position + 1 : self._position + 2]
        if following == "z":
            self._take(r"\Z", 2)
        elif following == "Z":
            self._take(r"(?=\n?\Z)", 2)
        elif following == "h":
            self._take("[0-9a-fA-F]", 2)
        elif following in _SAME_ESCAPES and following:
            self._take(f"\\{following}", 2)
        elif following and not following.isalnum():
            self._take(re.escape(following), 2)
        else:
            raise Unsupported(f"\\{following}")

    def _group(self) -> None:
        self._complex_since.append(False)
        if self._source.startswith("(?:", self._position):
            self._take("(?:", 3)
        elif self._source.startswith("(?", self._position):
            raise Unsupported(f"{self._source[self._position : self._position + 3]}")
        else:
            self._take("(")

    def _character_class(self) -> None:
        end = self._position + 1
        end += self._source.startswith("^", end)
        end += self._source.startswith("]", end)
        inside: list[str] = [self._source[self._position : end]]
        while not self._source.startswith("]", end):
            posix = _POSIX.match(self._source, end)
            if posix and posix[1] in _POSIX_CLASSES:
                inside.append(_POSIX_CLASSES[posix[1]])
                end = posix.end()
            elif self._source.startswith(("[", "&&"), end) or end >= len(self._source):
                raise Unsupported("a character class of this kind")
            elif self._source.startswith("\\h", end):
                inside.append("0-9a-fA-F")
                end += 2
            else:
                length = 2 if self._source[end] == "\\" else 1
                inside.append(self._source[end : end + length])
                end += length
        self._take(f"{''.join(inside)}]", end + 1 - self._position)


def replacement(template: str, match: re.Match[str]) -> str:
    r"""A replacement of `sub` with `\1` and `\0` filled in."""

    def filled(reference: re.Match[str]) -> str:
        digit = reference[1]
        if not digit.isdigit():
            return digit if digit == "\\" else reference[0]
        number = int(digit)
        return (match[number] or "") if number <= match.re.groups else ""

    return re.sub(r"\\(.)", filled, template)
