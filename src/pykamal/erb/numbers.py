"""The methods of numbers, as a table from name to function. Functions take the receiver first."""

from __future__ import annotations

import math
from typing import Any, Final

from pykamal.core.ruby import ruby_float
from pykamal.erb.budget import check_items, check_number
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.values import Block, Method, inspected

_NO_DIVISION: Final = "divided by 0"
_LARGEST_EXPONENT: Final = 4096


def divided(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        if right == 0:
            raise RubyError(_NO_DIVISION, "ZeroDivisionError")
        return left // right
    if right == 0:  # fractions have no end where integers fail
        return math.nan if left == 0 else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def modulo(left: Any, right: Any) -> Any:
    if right == 0:
        if isinstance(left, int) and isinstance(right, int):
            raise RubyError(_NO_DIVISION, "ZeroDivisionError")
        return math.nan
    return left % right


def power(left: Any, right: Any) -> Any:
    if isinstance(left, float) or isinstance(right, float):
        return float(left) ** right
    if right < 0:
        raise Unsupported("a fraction (a negative exponent)")
    if right > _LARGEST_EXPONENT:
        check_number(1 << min(right, 10_000) if abs(left) > 1 else 0)
    return check_number(left**right) if abs(left) < 2**64 or right <= 64 else check_number(1 << 10_000)


def each_number(numbers: range, block: Block | None, receiver: Any) -> Any:
    check_items(len(numbers))
    if block is None:
        return list(numbers)
    for number in numbers:
        block(number)
    return receiver


def _times(receiver: int, block: Block | None = None) -> Any:
    return each_number(range(max(0, receiver)), block, receiver)


def _step(receiver: int, limit: int, step: int = 1, block: Block | None = None) -> Any:
    if not isinstance(limit, int) or not isinstance(step, int):
        raise Unsupported("step over anything but whole numbers")
    if step == 0:
        raise RubyError("step can't be 0", "ArgumentError")
    return each_number(range(receiver, limit + (1 if step > 0 else -1), step), block, receiver)


def _in_base(value: Any, base: int = 10) -> str:
    if isinstance(value, float):
        return ruby_float(value)
    if base == 10:
        return str(value)
    if not 2 <= base <= 36:
        raise RubyError(f"invalid radix {base}", "ArgumentError")
    digits: list[str] = []
    rest = abs(value)
    while rest or not digits:
        rest, digit = divmod(rest, base)
        digits.append("0123456789abcdefghijklmnopqrstuvwxyz"[digit])
    return ("-" if value < 0 else "") + "".join(reversed(digits))


def _rounded(value: Any, digits: int = 0, half: Any = None) -> Any:
    """Round half away from zero, unlike Python."""
    if half is not None:
        raise Unsupported("round with half:")
    if isinstance(value, int):
        if digits >= 0:
            return value
        scale = 10 ** min(-digits, 400)
        return (abs(value) + scale // 2) // scale * scale * (-1 if value < 0 else 1)
    if not math.isfinite(value):
        if digits > 0:
            return value
        raise RubyError(ruby_float(value), "FloatDomainError")
    if digits > 0:
        return round(value, digits) if digits < 18 else value
    from fractions import Fraction

    exact = Fraction(value)
    whole = int(abs(exact) + Fraction(1, 2))
    return _rounded(-whole if value < 0 else whole, digits)


def _floor(value: Any, digits: int = 0) -> Any:
    if digits > 0 and isinstance(value, float):
        scale = 10 ** min(digits, 17)
        return math.floor(value * scale) / scale
    return math.floor(value) if digits == 0 else _floor(value // 10**-digits * 10**-digits)


def _ceil(value: Any, digits: int = 0) -> Any:
    if digits > 0 and isinstance(value, float):
        scale = 10 ** min(digits, 17)
        return math.ceil(value * scale) / scale
    return math.ceil(value) if digits == 0 else -_floor(-value, digits)


def _whole(value: Any) -> int:
    if isinstance(value, float) and not math.isfinite(value):
        raise RubyError(ruby_float(value), "FloatDomainError")
    return int(value)


def _divmod(value: Any, other: Any) -> list[Any]:
    quotient = divided(value, other)
    return [math.floor(quotient), modulo(value, other)]


def _character(value: int, encoding: Any = None) -> str:
    if value > 0x7F and encoding is None:
        raise Unsupported("a single byte beyond ASCII in a text")
    if not 0 <= value <= 0x10FFFF:
        raise RubyError(f"{value} out of char range", "RangeError")
    return chr(value)


def _clamped(value: Any, low: Any, high: Any = None) -> Any:
    low, high = (low.first, low.last) if high is None and hasattr(low, "first") else (low, high)
    if low is not None and high is not None and low > high:
        raise RubyError("min argument must be less than or equal to max argument", "ArgumentError")
    at_least = value if low is None else max(value, low)
    return at_least if high is None else min(at_least, high)


def _digits(value: int, base: int = 10) -> list[int]:
    if value < 0:
        raise RubyError("out of domain", "Math::DomainError")
    return [int(digit, 36) for digit in reversed(_in_base(value, base))]


NUMBER_METHODS: Final[dict[str, Method]] = {
    "to_s": _in_base,
    "inspect": inspected,
    "to_i": _whole,
    "to_int": _whole,
    "truncate": _whole,
    "to_f": float,
    "times": _times,
    "upto": lambda value, last, block=None: each_number(range(value, math.floor(last) + 1), block, value),
    "downto": lambda value, last, block=None: each_number(range(value, math.ceil(last) - 1, -1), block, value),
    "step": _step,
    "fdiv": lambda value, other: divided(float(value), other),
    "div": lambda value, other: math.floor(divided(value, other)),
    "divmod": _divmod,
    "modulo": modulo,
    "pow": power,
    "pred": lambda value: value - 1,
    "succ": lambda value: value + 1,
    "next": lambda value: value + 1,
    "chr": _character,
    "ord": lambda value: value,
    "digits": _digits,
    "round": _rounded,
    "floor": _floor,
    "ceil": _ceil,
    "abs": abs,
    "gcd": math.gcd,
    "lcm": math.lcm,
    "zero?": lambda value: value == 0,
    "nonzero?": lambda value: None if value == 0 else value,
    "positive?": lambda value: value > 0,
    "negative?": lambda value: value < 0,
    "even?": lambda value: value % 2 == 0,
    "odd?": lambda value: value % 2 == 1,
    "integer?": lambda value: isinstance(value, int),
    "finite?": math.isfinite,
    "nan?": math.isnan,
    "between?": lambda value, low, high: low <= value <= high,
    "clamp": _clamped,
    "bit_length": lambda value: value.bit_length(),
}
