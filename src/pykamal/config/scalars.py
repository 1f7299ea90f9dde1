"""Types of plain YAML scalars as Ruby's Psych reads them: neither PyYAML's way nor YAML 1.2 (spec/config.md 1.4)."""

from __future__ import annotations

import datetime
import re
from typing import Final

from pykamal.config.document import Value
from pykamal.core.ruby import Symbol

_WORDS: Final[dict[str, Value]] = {
    **dict.fromkeys(("yes", "true", "on"), True),
    **dict.fromkeys(("no", "false", "off"), False),
    "null": None,
    "~": None,
    "": None,
    ".inf": float("inf"),
    "+.inf": float("inf"),
    "-.inf": float("-inf"),
    ".nan": float("nan"),
}
_LONGEST_WORD: Final = max(map(len, _WORDS))
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)")
_OCTAL: Final = re.compile(r"[-+]?0[_,]*[0-7][0-7_,]*")
_HEXADECIMAL: Final = re.compile(r"[-+]?0x[_,]*[0-9a-fA-F][0-9a-fA-F_,]*")
_BINARY: Final = re.compile(r"[-+]?0b_*[01][01_]*")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][+-][0-9]+)?")
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}(\.[0-9_]*)?")
_DATE: Final = re.compile(r"(\d{4})-(1[012]|0\d|\d)-([12]\d|3[01]|0\d|\d)")
_TIME: Final = re.compile(
    r"(-?\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt]|\s+)(\d{1,2}):(\d\d):(\d\d)(?:\.(\d*))?(?:\s*(Z|[-+]\d{1,2}:?(?:\d\d)?))?"
)
_STARTS_AS_TEXT: Final = re.compile(r"[^\d.:+\-~]")


def typed(text: str) -> Value:
    """The value of an unquoted scalar.

    Integers may be octal (`0644`), hexadecimal, binary, with `_` or `,` between digits, or base sixty (`22:22` is
    80520); `:name` is a symbol; dates and times become objects that no key accepts.
    """
    if len(text) <= _LONGEST_WORD and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _STARTS_AS_TEXT.match(text) or "\n" in text:
        return text
    if text.startswith(":"):
        return _symbol(text)
    return _number_or_time(text)


def _symbol(text: str) -> Value:
    name = text[1:]
    if not name:
        return text
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1]
    return Symbol(name)


def _number_or_time(text: str) -> Value:
    if "-" in text[1:] and text[0].isdigit():
        return _moment(text)
    if _SEXAGESIMAL.fullmatch(text):
        return _base_sixty(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    digits = text.replace("_", "").replace(",", "")
    for pattern, base in ((_DECIMAL, 10), (_OCTAL, 8), (_HEXADECIMAL, 16), (_BINARY, 2)):
        if pattern.fullmatch(text):
            try:
                return int(digits, base)
            except ValueError:
                return text
    return text


def _base_sixty(text: str) -> Value:
    """`12:30` counts as hours and minutes, in seconds; Ruby weighs the first part by 60 squared in either length."""
    total: int | float = 0
    for index, part in enumerate(text.split(":")):
        digits = part.replace("_", "")
        number = float(digits or 0) if "." in text else int(digits)
        total += number * 60 ** abs(index - 2)
    return total


def _float(text: str) -> Value:
    if text in (".", "+.", "-."):
        return text
    digits = text.replace("_", "").replace(",", "")
    try:
        return float(digits)
    except ValueError:
        return text


def _moment(text: str) -> Value:
    if match := _DATE.fullmatch(text):
        try:
            return datetime.date(*(int(part) for part in match.groups()))
        except ValueError:
            return text
    match = _TIME.fullmatch(text)
    if match is None:
        return _float(text) if _FLOAT.fullmatch(text) else text
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not (
        day in range(1, 32) and minute < 60 and second <= 60 and (hour < 24 or (hour, minute, second) == (24, 0, 0))
    ):
        return text
    microsecond = int((match[7] or "0").ljust(6, "0")[:6])
    later = datetime.timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second, microseconds=microsecond)
    try:  # the 30th of February is the 1st of March, and 24:00:00 the next day
        return datetime.datetime(year, month, 1, tzinfo=_zone(match[8])) + later
    except (ValueError, OverflowError):
        return text


def _zone(text: str | None) -> datetime.tzinfo | None:
    if text is None:
        return None
    if text == "Z":
        return datetime.UTC
    sign = -1 if text.startswith("-") else 1
    digits = text[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    return datetime.timezone(sign * datetime.timedelta(hours=int(hours), minutes=int(minutes)))
