"""Character classes, escapes and properties of Ruby's regular expressions, as tests of single characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

CharacterTest = Callable[[str], bool]
"""Returns True for characters of a class. A test of a single character has it as the attribute `only`."""

_DIGITS: Final = frozenset("0123456789")
_WORD: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SPACE: Final = frozenset(" \t\n\v\f\r")
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")
_SHORTHANDS: Final[dict[str, CharacterTest]] = {
    "d": _DIGITS.__contains__,
    "w": _WORD.__contains__,
    "s": _SPACE.__contains__,
    "h": _HEXADECIMAL.__contains__,
}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b", "0": "\0"}
_CODE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|0([0-7]{1,2}))")
_POSIX: Final = re.compile(r"\[:(\^?)(\w+):\]")
_PROPERTIES: Final[dict[str, CharacterTest]] = {
    "alpha": str.isalpha,
    "digit": lambda each: unicodedata.category(each) == "Nd",
    "alnum": lambda each: each.isalpha() or unicodedata.category(each) == "Nd",
    "upper": str.isupper,
    "lower": str.islower,
    "space": str.isspace,
    "blank": lambda each: each in " \t" or unicodedata.category(each) == "Zs",
    "punct": lambda each: unicodedata.category(each)[0] == "P" or each in "$+<=>^`|~",
    "cntrl": lambda each: unicodedata.category(each) == "Cc",
    "word": lambda each: each.isalnum() or unicodedata.category(each) in ("Pc", "Mn", "Mc", "Me"),
    "xdigit": _HEXADECIMAL.__contains__,
    "print": lambda each: each.isprintable(),
    "graph": lambda each: each.isprintable() and not each.isspace(),
    "ascii": str.isascii,
    "l": lambda each: unicodedata.category(each)[0] == "L",
    "lu": lambda each: unicodedata.category(each) == "Lu",
    "ll": lambda each: unicodedata.category(each) == "Ll",
    "n": lambda each: unicodedata.category(each)[0] == "N",
    "p": lambda each: unicodedata.category(each)[0] == "P",
    "s": lambda each: unicodedata.category(each)[0] == "S",
    "z": lambda each: unicodedata.category(each)[0] == "Z",
}


def named_property(name: str) -> CharacterTest | None:
    """Return the test for `[[:alpha:]]` and `\\p{Alpha}`; None for an unknown name."""
    return _PROPERTIES.get(name.lower())


def any_of(test: CharacterTest, *, negated: bool = False) -> CharacterTest:
    return (lambda each: not test(each)) if negated else test


class _Exactly:
    def __init__(self, character: str) -> None:
        self.only = character

    def __call__(self, character: str) -> bool:
        return character == self.only


def exactly(character: str, ignore_case: bool) -> CharacterTest:
    folded = _cases(character) if ignore_case else {character}
    return _Exactly(character) if len(folded) == 1 else frozenset(folded).__contains__


def _cases(character: str) -> set[str]:
    return {each for each in (character, character.lower(), character.upper()) if len(each) == 1}


def escaped(source: str, start: int, ignore_case: bool) -> tuple[CharacterTest, int]:
    """Parse the escape that starts at the backslash; return its test and the position behind it."""
    following = source[start + 1]
    if following.lower() in _SHORTHANDS:
        return any_of(_SHORTHANDS[following.lower()], negated=following.isupper()), start + 2
    character, end = _escaped_character(source, start)
    return exactly(character, ignore_case), end


def _escaped_character(source: str, start: int) -> tuple[str, int]:
    if code := _CODE.match(source, start):
        number = int(code[4], 8) if code[4] else int(code[1] or code[2] or code[3], 16)
        return chr(min(number, 0x10FFFF)), code.end()
    following = source[start + 1 : start + 2]
    return _CONTROLS.get(following, following), start + 2


def character_class(source: str, start: int, ignore_case: bool) -> tuple[CharacterTest, int]:
    """Parse a character class from behind its `[`; return its test and the position behind its `]`.

    Raises ValueError for what is none and NotImplementedError for what is not supported.
    """
    negated = source.startswith("^", start)
    position = start + negated
    singles: set[str] = set()
    tests: list[CharacterTest] = []
    beginning = position
    while not source.startswith("]", position) or position == beginning:
        if position >= len(source):
            raise ValueError("a character class that never ends")
        if source.startswith("&&", position):
            raise NotImplementedError("&& in a character class")
        if posix := _POSIX.match(source, position):
            tests.append(any_of(_posix(posix[2]), negated=bool(posix[1])))
            position = posix.end()
        elif source[position] == "[":
            inner, position = character_class(source, position + 1, ignore_case)
            tests.append(inner)
        elif source[position] == "\\" and source[position + 1 : position + 2].lower() in _SHORTHANDS:
            test, position = escaped(source, position, ignore_case)
            tests.append(test)
        else:
            position = _member(source, position, singles, tests, ignore_case)
    members = frozenset(singles)
    if not tests:
        return any_of(members.__contains__, negated=negated), position + 1
    return any_of(lambda each: each in members or any(test(each) for test in tests), negated=negated), position + 1


def _posix(name: str) -> CharacterTest:
    test = _PROPERTIES.get(name)
    if test is None:
        raise NotImplementedError(f"[:{name}:]")
    return test


def _member(source: str, position: int, singles: set[str], tests: list[CharacterTest], ignore_case: bool) -> int:
    """Parse a character or a range of characters."""
    first, position = _character(source, position)
    if not source.startswith("-", position) or source.startswith("-]", position) or position + 1 >= len(source):
        singles.update(_cases(first) if ignore_case else first)
        return position
    if source.startswith("[", position + 1):
        raise NotImplementedError("a class at the end of a range")
    last, position = _character(source, position + 1)
    if last < first:
        raise ValueError("an empty range in a character class")
    if ignore_case:
        tests.append(lambda each: any(first <= form <= last for form in _cases(each)))
    else:
        tests.append(lambda each: first <= each <= last)
    return position


def _character(source: str, position: int) -> tuple[str, int]:
    if source[position] != "\\":
        return source[position], position + 1
    if position + 1 >= len(source):
        raise ValueError("a character class that never ends")
    return _escaped_character(source, position)
