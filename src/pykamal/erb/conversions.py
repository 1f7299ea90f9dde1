"""Converts strings to numbers, leniently and strictly, and checks arguments that have to be strings."""

from __future__ import annotations

import re
from typing import Any, Final

from pykamal.erb.budget import check_number
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.values import in_message, inspected

_LONGEST: Final = 1500
_FLOAT: Final = re.compile(r"[+-]?\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d{1,4})?")
_FRACTION: Final = re.compile(r"[+-]?\.\d+")
_PREFIXES: Final = {2: "0b", 8: "0o", 16: "0x"}


def a_text(value: Any) -> str:
    """Return the argument. Raises RubyError where it is no string."""
    if not isinstance(value, str):
        raise RubyError(f"no implicit conversion of {in_message(value)} into String", "TypeError")
    return value


def to_integer(value: Any, base: int = 10) -> int:
    """Convert like `to_i`: the leading digits, else 0."""
    if not isinstance(value, str):
        return int(value or 0)
    if base == 0:
        raise Unsupported("to_i(0)")
    if not 2 <= base <= 36:
        raise RubyError(f"invalid radix {base}", "ArgumentError")
    stripped = value.lstrip()[:_LONGEST].lower()
    sign = -1 if stripped.startswith("-") else 1
    stripped = stripped[1:] if stripped[:1] in ("+", "-") else stripped
    stripped = stripped.removeprefix(_PREFIXES.get(base, "\0"))
    result = 0
    for place, character in enumerate(stripped):
        if character == "_" and place and stripped[place - 1] != "_":
            continue
        if not (character.isascii() and character.isalnum()) or int(character, 36) >= base:
            break
        result = check_number(result * base + int(character, 36))
    return sign * result


def to_float(value: Any) -> float:
    """Convert like `to_f`: the leading number, else 0."""
    if not isinstance(value, str):
        return float(value or 0)
    start = value.lstrip()[:_LONGEST]
    match = _FLOAT.match(start) or _FRACTION.match(start)
    return float(match.group().replace("_", "")) if match else 0.0


def integer(value: Any, base: int | None = None, exception: Any = True) -> int | None:
    """Convert like `Integer()`, which raises for anything but an integer."""
    try:
        return _integer(value, base)
    except RubyError:
        if exception is False:
            return None
        raise


def _integer(value: Any, base: int | None) -> int:
    if isinstance(value, str):
        digits = value.strip()[:_LONGEST].lower()
        octal = re.fullmatch(r"[+-]?0[0-7_]+", digits) and base is None
        try:
            if "__" in digits or digits.endswith("_") or not re.fullmatch(r"[+-]?[0-9a-z_]+", digits):
                raise ValueError
            return check_number(int(digits.replace("0", "0o", 1), 0) if octal else int(digits, base or 0))
        except ValueError:
            raise RubyError(f"invalid value for Integer(): {inspected(value)}", "ArgumentError") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RubyError(f"can't convert {in_message(value)} into Integer", "TypeError")
    return int(value)


def floating(value: Any, exception: Any = True) -> float | None:
    """Convert like `Float()`, which raises for anything but a number."""
    if isinstance(value, str) and _FLOAT.fullmatch(value.strip()):
        return float(value.strip().replace("_", ""))
    if exception is False and not isinstance(value, int | float):
        return None
    if isinstance(value, str):
        raise RubyError(f"invalid value for Float(): {inspected(value)}", "ArgumentError")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RubyError(f"can't convert {in_message(value)} into Float", "TypeError")
    return float(value)
