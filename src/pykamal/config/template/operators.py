"""Ruby's operators over the values of templates; each raises a Python error where Ruby would raise one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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
    return left // right if isinstance(left, int) and isinstance(right, int) else left / right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        return formatted(left, tuple(right) if isinstance(right, list) else (right,))
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


OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": _plus,
    "-": _minus,
    "*": _times,
    "/": _divided,
    "%": _modulo,
    "**": _power,
    "<<": _appended,
    "==": equal,
    "===": equal,
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
