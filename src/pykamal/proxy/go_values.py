"""Texts of the command line and the environment to values, as Go's libraries read them (spec/proxy.md 3.1)."""

from __future__ import annotations

import re

_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
_INTEGER = re.compile(r"[+-]?(0[xX](_?[0-9a-fA-F])+|0[bB](_?[01])+|0[oO]?(_?[0-7])+|0|[1-9](_?[0-9])*)")
_LARGEST = 2**63
_MOST_DIGITS = 1000  # of which a number with 64 bits needs few
_VALUE_OF_CSV = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))')
_CSV = re.compile(r'([^",\r\n]*|"([^"]|"")*")(,([^",\r\n]*|"([^"]|"")*"))*')


def parse_bool(text: str) -> bool:
    """`true`, `false` and their short forms. Raises ValueError."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"strconv.ParseBool: parsing {quoted(text)}: invalid syntax")


def parse_int(text: str) -> int:
    """A 64-bit integer as Go writes them: `42`, `-1`, `1_000`, `0x2a`, `0b1`, `0o52`, `052`. Raises ValueError."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"strconv.ParseInt: parsing {quoted(text)}: invalid syntax")
    digits = text.lstrip("+-").replace("_", "")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567"
    size = int(digits, 8 if octal else 0) if len(digits) <= _MOST_DIGITS else _LARGEST + 1
    number = -size if text.startswith("-") else size
    if not -_LARGEST <= number < _LARGEST:
        raise ValueError(f"strconv.ParseInt: parsing {quoted(text)}: value out of range")
    return number


def parse_decimal(text: str) -> int:
    """An integer of decimal digits, as variables of the environment hold it. Raises ValueError."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError(f"strconv.Atoi: parsing {quoted(text)}: invalid syntax")
    return int(text)


def parse_number(text: str) -> float:
    """A decimal number, with a fraction or without. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", text):
        raise ValueError(f"strconv.ParseFloat: parsing {quoted(text)}: invalid syntax")
    return float(text)


def parse_list(text: str) -> list[str]:
    """The values of one line of CSV; none when it is empty. Raises ValueError."""
    text = text.strip("\r\n")
    if '"' not in text:
        line = text.partition("\n")[0].rstrip("\r")
        return line.split(",") if line else []
    if not _CSV.fullmatch(text):
        raise ValueError('parse error: a value with quotes stands between quotes, and each inside is written as ""')
    values = (value.groups() for value in _VALUE_OF_CSV.finditer(text))
    return [plain if within is None else within.replace('""', '"') for within, plain in values]


def quoted(text: str) -> str:
    """In double quotes and on one line, whatever it holds."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(_visible(character) for character in escaped) + '"'


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
