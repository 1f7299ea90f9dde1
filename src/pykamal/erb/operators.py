"""Ruby's operators over the values of templates; each raises a Python error where Ruby would raise one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from pykamal.erb.indexing import common, repeated, unique, without
from pykamal.erb.regexps import Regexp
from pykamal.erb.strings import formatted, position
from pykamal.erb.values import equal, true


def _plus(left: Any, right: Any) -> Any:
    if not (type(left) is type(right) and isinstance(left, str | list)):
        _require_numbers(left, right)
    return left + right


def _minus(left: Any, right: Any) -> Any:
    if _is_list(left, right):
        return without(left, right)
    _require_numbers(left, right)
    return left - right


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, str | list):
        return repeated(left, right)
    _require_numbers(left, right)
    return _bounded(left * right)


def _divided(left: Any, right: Any) -> Any:
    _require_numbers(left, right)
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    if right == 0:  # fractions have no end where integers fail
        return math.nan if left == 0 else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        return formatted(left, *(right if isinstance(right, list) else [right]))
    _require_numbers(left, right)
    return left % right


def _power(left: Any, right: Any) -> Any:
    _require_numbers(left, right)
    if not (isinstance(right, int) and 0 <= right <= 64):
        raise ValueError
    return _bounded(left**right)


def _is_list(left: Any, right: Any) -> bool:
    if isinstance(left, list) and not isinstance(right, list):
        raise TypeError
    return isinstance(left, list)


def _require_numbers(left: Any, right: Any) -> None:
    if not (_is_number(left) and _is_number(right)):
        raise TypeError


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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


def _before(left: Any, right: Any) -> bool:
    if not (isinstance(left, str) and isinstance(right, str)):
        _require_numbers(left, right)
    return bool(left < right)


def _compared(left: Any, right: Any) -> int | None:
    """-1, 0 or 1; nil for values that have no order."""
    if isinstance(left, list) and isinstance(right, list):
        orders = (_compared(one, other) for one, other in zip(left, right, strict=False))
        return next((order for order in orders if order != 0), _compared(len(left), len(right)))
    if equal(left, right):
        return 0
    ordered = (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))
    return (-1 if left < right else 1) if ordered else None


def _either(left: Any, right: Any) -> Any:
    if _is_list(left, right):
        return unique(left + right)
    if left is None or isinstance(left, bool):
        return bool(left) or true(right)
    _require_numbers(left, right)
    return left | right


def _both(left: Any, right: Any) -> Any:
    if _is_list(left, right):
        return common(left, right)
    if left is None or isinstance(left, bool):
        return bool(left) and true(right)
    _require_numbers(left, right)
    return left & right


def covers(test: Any, value: Any) -> bool:
    """`===`, which `case` asks of each test: a regular expression matches, a range holds, all else is equal."""
    if isinstance(test, Regexp):
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
    "<": _before,
    ">": lambda left, right: _before(right, left),
    "<=": lambda left, right: _before(left, right) or left == right,
    ">=": lambda left, right: _before(right, left) or left == right,
    "=~": position,
    "!~": lambda left, right: position(left, right) is None,
    "<=>": _compared,
    "|": _either,
    "&": _both,
}
