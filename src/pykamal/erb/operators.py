"""Ruby's operators. Each raises RubyError where Ruby would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

from pykamal.core.ruby import Symbol
from pykamal.erb.budget import check_items, check_number, check_text
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.exceptions import is_kind
from pykamal.erb.formatting import formatted
from pykamal.erb.indexing import common, repeated, unique, without
from pykamal.erb.matcher import Regexp
from pykamal.erb.numbers import divided, modulo, power
from pykamal.erb.substitution import position
from pykamal.erb.values import (
    ClassValue,
    Range,
    class_name,
    described,
    equal,
    in_message,
    inspected,
    is_number,
    true,
)


def _no_operator(operator: str, left: Any) -> NoReturn:
    from pykamal.erb.ruby_names import has_method

    if has_method(class_name(left), operator):
        raise Unsupported(f"{operator} of {described(left)}")
    raise RubyError(f"undefined method `{operator}' for {described(left)}", "NoMethodError")


def _numbers(operator: str, left: Any, right: Any) -> None:
    if not is_number(left):
        _no_operator(operator, left)
    if not is_number(right):
        kind = "Integer" if isinstance(left, int) else "Float"
        raise RubyError(f"{in_message(right)} can't be coerced into {kind}", "TypeError")


def _own(operator: str, left: Any, right: Any) -> Any:
    """Apply an operator that a class of this package defines, such as `+` of a time."""
    function = getattr(left, "OPERATORS", {}).get(operator)
    return NotImplemented if function is None else function(left, right)


def _plus(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        if not isinstance(right, str):
            raise RubyError(f"no implicit conversion of {in_message(right)} into String", "TypeError")
        check_text(len(left) + len(right))
        return left + right
    if isinstance(left, list):
        if not isinstance(right, list):
            raise RubyError(f"no implicit conversion of {in_message(right)} into Array", "TypeError")
        check_items(len(left) + len(right))
        return left + right
    _numbers("+", left, right)
    return _bounded(left + right)


def _minus(left: Any, right: Any) -> Any:
    if isinstance(left, list):
        if not isinstance(right, list):
            raise RubyError(f"no implicit conversion of {in_message(right)} into Array", "TypeError")
        return without(left, right)
    _numbers("-", left, right)
    return _bounded(left - right)


def _times(left: Any, right: Any) -> Any:
    if isinstance(left, str | list):
        return repeated(left, right)
    _numbers("*", left, right)
    return _bounded(left * right)


def _divided(left: Any, right: Any) -> Any:
    _numbers("/", left, right)
    return divided(left, right)


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        return formatted(left, *(right if isinstance(right, list) else [right]))
    _numbers("%", left, right)
    return modulo(left, right)


def _power(left: Any, right: Any) -> Any:
    _numbers("**", left, right)
    return power(left, right)


def _bounded(number: Any) -> Any:
    return check_number(number) if isinstance(number, int) else number


def _appended(left: Any, right: Any) -> Any:
    if isinstance(left, list):
        check_items(len(left) + 1)
        left.append(right)
        return left
    if isinstance(left, str):
        return _plus(left, right)
    if isinstance(left, int) and not isinstance(left, bool):
        raise Unsupported("shifting a number")
    _no_operator("<<", left)


def ordered(left: Any, right: Any) -> int | None:
    """Return -1, 0 or 1; None for values without an order."""
    if isinstance(left, list) and isinstance(right, list):
        orders = (ordered(one, other) for one, other in zip(left, right, strict=False))
        return next((order for order in orders if order != 0), ordered(len(left), len(right)))
    if equal(left, right):
        return 0
    if isinstance(left, Symbol) and isinstance(right, Symbol):
        left, right = left.name, right.name
    texts = isinstance(left, str) and isinstance(right, str)
    comparable = texts or (is_number(left) and is_number(right)) or type(left) is type(right)
    if not comparable or left is None or isinstance(left, bool | list | dict):
        return None
    try:
        return -1 if left < right else 1 if left > right else None
    except TypeError:
        return None


def compare(left: Any, right: Any) -> int:
    """Return the order of two values as -1, 0 or 1. Raises RubyError where they have none."""
    order = ordered(left, right)
    if order is None:
        simple = right is None or isinstance(right, int | float)
        shown = inspected(right) if simple else class_name(right)
        raise RubyError(f"comparison of {class_name(left)} with {shown} failed", "ArgumentError")
    return order


def _comparison(operator: str, wanted: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    def compared(left: Any, right: Any) -> bool:
        if left is None or isinstance(left, bool | list | dict):
            _no_operator(operator, left)
        if isinstance(left, float) and left != left:  # noqa: PLR0124 - NaN has no order
            return False
        return wanted(compare(left, right))

    return compared


def _either(left: Any, right: Any) -> Any:
    if isinstance(left, list) and isinstance(right, list):
        check_items(len(left) + len(right))
        return unique(left + right)
    if left is None or isinstance(left, bool):
        return bool(left) or true(right)
    _numbers("|", left, right)
    return left | right


def _both(left: Any, right: Any) -> Any:
    if isinstance(left, list) and isinstance(right, list):
        return common(left, right)
    if left is None or isinstance(left, bool):
        return bool(left) and true(right)
    _numbers("&", left, right)
    return left & right


def _differs(left: Any, right: Any) -> Any:
    if left is None or isinstance(left, bool):
        return bool(left) is not true(right)
    _numbers("^", left, right)
    return left ^ right


def covers(test: Any, value: Any) -> bool:
    """Evaluate `===`, the test of `case`: membership of a class or a range, a match of a regular expression."""
    if isinstance(test, ClassValue):
        return is_kind(class_name(value), test.name)
    if isinstance(test, Regexp):
        return isinstance(value, str) and test.search(value) is not None
    if isinstance(test, Range):
        return test.covers(value)
    if callable(test):
        return true(test(value))
    return equal(test, value)


def _matched(left: Any, right: Any) -> Any:
    if isinstance(left, Regexp) and (right is None or isinstance(right, str)):
        left, right = right, left
    if left is None:
        return None
    if not (isinstance(left, str) and isinstance(right, Regexp)):
        raise Unsupported(f"=~ of {described(left)}")
    return position(left, right)


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
    "<": _comparison("<", lambda order: order < 0),
    ">": _comparison(">", lambda order: order > 0),
    "<=": _comparison("<=", lambda order: order <= 0),
    ">=": _comparison(">=", lambda order: order >= 0),
    "=~": _matched,
    "!~": lambda left, right: _matched(left, right) is None,
    "<=>": ordered,
    "|": _either,
    "&": _both,
    "^": _differs,
}


def operate(operator: str, left: Any, right: Any) -> Any:
    """Return the value of `left operator right`. Raises RubyError, Unsupported and BudgetExceeded."""
    try:
        own = _own(operator, left, right)
        if own is not NotImplemented:
            return own
        function = OPERATORS.get(operator)
        if function is None:
            raise Unsupported(f"the operator {operator}")
        return function(left, right)
    except (TypeError, ValueError, ArithmeticError):
        raise Unsupported(f"{operator} with {described(left)} and {described(right)}") from None
