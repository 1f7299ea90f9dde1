"""Ruby's operators over the values of templates; each raises a Python error where Ruby would raise one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from pykamal.config.template.patterns import Pattern
from pykamal.config.template.sequences import common, repeated, unique, without
from pykamal.config.template.texts import formatted, position
from pykamal.config.template.values import equal, true


def _plus(left: Any, right: Any) -> Any:
    if isinstance(left, bool) or type(left) not in (str, int, float, list):
        raise TypeError
    return left + right


def _minus(left: Any, right: Any) -> Any:
    if isinstance(left, list):
        return without(left, right)
    return left - right


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, str | list):
        return repeated(left, right)
    return _bounded(left * right)


def _divided(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    if right == 0:  # fractions have no end where integers fail
        return math.nan if left == 0 else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        return formatted(left, *(right if isinstance(right, list) else [right]))
    return left % right


def _power(left: Any, right: Any) -> Any:
    if not (isinstance(right, int) and 0 <= right <= 64):
        raise ValueError
    return _bounded(left**right)


def _bounded(number: Any) -> Any:
    if isinstance(number, int) and number.bit_length() > 4096:
        raise ValueError
    return number


def _appended(left: Any, right: Any) -> Any:
    if isinstance(left, list):
        left.append(right)
        return left
    if isinstance(left, str):
        return left + right
    raise TypeError


def _compared(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def covers(test: Any, value: Any) -> bool:
    """`===`, which `case` asks of each test: a regular expression matches, a range holds, all else is equal."""
    if isinstance(test, Pattern):
        return isinstance(value, str) and position(value, test) is not None
    if isinstance(test, range):
        return isinstance(value, int) and not isinstance(value, bool) and value in test
    return equal(test, value)


OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": _plus,
    "-": _minus,
    "*": _times,
    "/": _divided,
    "%": _modulo,
    "**": _power,
    "<<": _appended,
    "==": equal,
    "===": covers,
    "!=": lambda left, right: not equal(left, right),
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
    "=~": position,
    "!~": lambda left, right: position(left, right) is None,
    "<=>": _compared,
    "|": lambda left, right: unique(left + right) if isinstance(left, list) else bool(left) or true(right),
    "&": lambda left, right: common(left, right) if isinstance(left, list) else bool(left) and true(right),
}
