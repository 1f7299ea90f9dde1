"""The methods of values that templates may call, as a table from name to function.

Each function takes the receiver, the positional arguments and, where the method yields, the block as a callable.
A method that is not here is refused by name, so nothing of Python's own objects can be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.arrays import LIST_METHODS, MAP_METHODS, each
from pykamal.erb.indexing import MAXIMUM_ITEMS
from pykamal.erb.strings import TEXT_METHODS
from pykamal.erb.values import as_json, blank, inspected, text, true

Block = Callable[..., Any]
Method = Callable[..., Any]


def find(receiver: Any, name: str) -> Method | None:
    """The function for a method of a value, None when templates may not call it."""
    match receiver:
        case str():
            table = TEXT_METHODS
        case list():
            table = LIST_METHODS
        case dict():
            table = MAP_METHODS
        case int() | float() if not isinstance(receiver, bool):
            table = _NUMBER
        case Symbol():
            table = _SYMBOL
        case _:
            table = {}
    if receiver is None and name == "to_a":
        return lambda _: []
    return table.get(name) or _ANY.get(name)


def _integer(value: Any, base: int = 10) -> int:
    """Ruby's `to_i` of a text: leading digits, else 0."""
    if isinstance(value, str) and base != 10:
        for end in range(min(len(value.strip()), 40), 0, -1):
            with suppress(ValueError):
                return int(value.strip()[:end], base)
        return 0
    if isinstance(value, str):
        digits = value.strip().replace("_", "")[:18]
        sign = -1 if digits.startswith("-") else 1
        digits = digits.lstrip("+-")
        length = len(digits) - len(digits.lstrip("0123456789"))
        return sign * int(digits[:length] or 0)
    return int(value or 0)


def _times(receiver: int, block: Block | None = None) -> Any:
    if receiver > MAXIMUM_ITEMS:
        raise ValueError(f"more than {MAXIMUM_ITEMS} turns")
    if block is None:
        return list(range(receiver))
    for index in range(receiver):
        block(index)
    return receiver


def _counted(first: int, end: int, step: int) -> list[int]:
    numbers = range(first, end, step)
    if len(numbers) > MAXIMUM_ITEMS:
        raise ValueError(f"more than {MAXIMUM_ITEMS} turns")
    return list(numbers)


def _in_base(value: int, base: int) -> str:
    forms = {2: "b", 8: "o", 16: "x"}
    if base not in forms:
        raise ValueError("a base that is not supported")
    return f"{value:{forms[base]}}"


def _presence(receiver: Any) -> Any:
    return None if blank(receiver) else receiver


_ANY: Final[dict[str, Method]] = {
    "to_s": text,
    "inspect": inspected,
    "nil?": lambda value: value is None,
    "blank?": blank,
    "present?": lambda value: not blank(value),
    "presence": _presence,
    "to_i": _integer,
    "to_json": as_json,
    "between?": lambda value, low, high: low <= value <= high,
    "clone": lambda value: value.copy() if isinstance(value, list | dict) else value,
    "freeze": lambda value: value,
    "dup": lambda value: value.copy() if isinstance(value, list | dict) else value,
    "then": lambda value, block: block(value),
    "tap": lambda value, block: (block(value), value)[1],
    "!": lambda value: not true(value),
}
_NUMBER: Final[dict[str, Method]] = {
    "to_s": lambda value, base=10: text(value) if base == 10 else _in_base(value, base),
    "upto": lambda value, last, block=None: each(_counted(value, last + 1, 1), block),
    "downto": lambda value, last, block=None: each(_counted(value, last - 1, -1), block),
    "fdiv": lambda value, other: value / other,
    "divmod": lambda value, other: list(divmod(value, other)),
    "pred": lambda value: value - 1,
    "negative?": lambda value: value < 0,
    "chr": chr,
    "times": _times,
    "to_f": float,
    "round": lambda value, digits=0: round(value, digits) if digits > 0 else round(value),
    "floor": lambda value: int(value // 1),
    "ceil": lambda value: int(-(-value // 1)),
    "abs": abs,
    "zero?": lambda value: value == 0,
    "positive?": lambda value: value > 0,
    "even?": lambda value: value % 2 == 0,
    "odd?": lambda value: value % 2 == 1,
    "clamp": lambda value, low, high: min(max(value, low), high),
    "succ": lambda value: value + 1,
}
_SYMBOL: Final[dict[str, Method]] = {"to_sym": lambda value: value, "length": lambda value: len(value.name)}
