"""Durations in the form that the command line and the state file share: `1h2m3.5s` and nanoseconds."""

from __future__ import annotations

import re

from pykamal.proxy.contract import MILLISECOND, SECOND
from pykamal.proxy.go_values import quoted

_LARGEST = 2**63  # nanoseconds, 292 years
_UNITS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": MILLISECOND, "s": SECOND}
_UNITS |= {"m": 60 * SECOND, "h": 3600 * SECOND}
_PART = re.compile(r"(?=\.?[0-9])([0-9]*)\.?([0-9]*)([^.0-9]*)")
_MOST_DIGITS = 19  # of _LARGEST; more behind the point change nothing


def parse_duration(text: str) -> int:
    """Nanoseconds of `300ms`, `1.5s`, `1h30m`, `0`.

    Raises ValueError with the reason that follows `invalid argument ... flag:` (spec/proxy.md 3.1).
    """
    body = text[1:] if text[:1] in ("-", "+") else text
    if body == "0":
        return 0
    total = 0
    position = 0
    while position < len(body) or not body:
        part = _PART.match(body, position)
        if part is None:
            raise ValueError(f"time: invalid duration {quoted(text)}")
        whole, fraction, unit = part[1].lstrip("0"), part[2][:_MOST_DIGITS], part[3]
        if not unit:
            raise ValueError(f"time: missing unit in duration {quoted(text)}")
        if unit not in _UNITS:
            raise ValueError(f"time: unknown unit {quoted(unit)} in duration {quoted(text)}")
        if len(whole) > _MOST_DIGITS:
            raise ValueError(f"time: invalid duration {quoted(text)}")
        total += int(whole or "0") * _UNITS[unit] + int(fraction or "0") * _UNITS[unit] // 10 ** len(fraction)
        position = part.end()
    nanoseconds = -total if text[0] == "-" else total
    if not -_LARGEST <= nanoseconds < _LARGEST:
        raise ValueError(f"time: invalid duration {quoted(text)}")
    return nanoseconds


def format_duration(nanoseconds: int) -> str:
    """`30s`, `1.5s`, `2m0s`, `300ms`, `0s`."""
    if nanoseconds < 0:
        return "-" + format_duration(-nanoseconds)
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < SECOND:
        for size, unit in ((MILLISECOND, "ms"), (1000, "µs"), (1, "ns")):
            if nanoseconds >= size:
                return _decimal(nanoseconds, size) + unit
    minutes, rest = divmod(nanoseconds, 60 * SECOND)
    seconds = _decimal(rest, SECOND) + "s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    if not fraction:
        return str(whole)
    digits = len(str(unit)) - 1
    return f"{whole}.{fraction:0{digits}d}".rstrip("0")
