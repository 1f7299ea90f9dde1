"""The methods that templates may call, as tables from name to function.

Each function takes the receiver, the positional arguments and, where the method yields, the block as a callable.
A method that is not here is refused by name, so nothing of Python's own objects can be reached.
"""

from __future__ import annotations

from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.arrays import LIST_METHODS
from pykamal.erb.enumerable import ITEMS
from pykamal.erb.errors import Unsupported
from pykamal.erb.exceptions import is_kind
from pykamal.erb.hashes import MAP_METHODS
from pykamal.erb.indexing import group
from pykamal.erb.kernel import INNER_METHODS, InnerTemplate
from pykamal.erb.matcher import Match, Regexp
from pykamal.erb.numbers import NUMBER_METHODS, each_number
from pykamal.erb.procs import NamedMethod, Proc
from pykamal.erb.streams import STREAM_METHODS, Stream
from pykamal.erb.strings import TEXT_METHODS
from pykamal.erb.values import (
    Block,
    ClassValue,
    ExceptionValue,
    Method,
    Range,
    RubyString,
    Status,
    as_json,
    blank,
    class_name,
    equal,
    in_message,
    inspected,
    text,
    true,
)
from pykamal.erb.word_lists import words


def _copy(value: Any) -> Any:
    if isinstance(value, str):
        return RubyString(value)
    return value.copy() if isinstance(value, list | dict) else value


def _frozen(value: Any) -> Any:
    if isinstance(value, RubyString):
        value.frozen = True
    return value


def _is_frozen(value: Any) -> bool:
    if isinstance(value, list | dict):
        raise Unsupported("frozen? of a list or a map")
    return value.frozen if isinstance(value, RubyString) else True


def _is_same(value: Any, other: Any) -> bool:
    return value is other or (not isinstance(value, str | list | dict) and equal(value, other))


def _is_a(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, ClassValue):
        raise Unsupported(f"a class that is {in_message(wanted)}")
    return is_kind(class_name(value), wanted.name)


def _is_in(value: Any, other: Any) -> bool:
    if isinstance(other, str):
        return value in other
    found = other.items() if isinstance(other, Range) else other
    return any(equal(value, each) for each in found)


def _responds(value: Any, name: Any) -> bool:
    from pykamal.erb.calls import responds

    return responds(value, str(name))


ANY_METHODS: Final[dict[str, Method]] = {
    "to_s": text,
    "inspect": inspected,
    "nil?": lambda value: value is None,
    "blank?": blank,
    "present?": lambda value: not blank(value),
    "presence": lambda value: None if blank(value) else value,
    "presence_in": lambda value, other: value if _is_in(value, other) else None,
    "in?": _is_in,
    "to_json": lambda value, *_options: as_json(value),
    "class": lambda value: ClassValue(class_name(value)),
    "is_a?": _is_a,
    "kind_of?": _is_a,
    "instance_of?": lambda value, wanted: class_name(value) == wanted.name,
    "respond_to?": _responds,
    "clone": _copy,
    "dup": _copy,
    "freeze": _frozen,
    "frozen?": _is_frozen,
    "equal?": _is_same,
    "itself": lambda value: value,
    "then": lambda value, block: block(value),
    "yield_self": lambda value, block: block(value),
    "tap": lambda value, block: (block(value), value)[1],
    "eql?": lambda value, other: type(value) is type(other) and equal(value, other),
    "hash": hash,
    "!": lambda value: not true(value),
}


def _of_name(name: str) -> Method:
    """Return a string's method for the name of a symbol."""
    function = TEXT_METHODS[name]
    return lambda value, *rest: function(value.name, *rest)


def _renamed(name: str) -> Method:
    """Return a string's method for a symbol, with a symbol as its result."""
    function = TEXT_METHODS[name]
    return lambda value: Symbol(function(value.name))


_NIL: Final[dict[str, Method]] = {
    "to_a": lambda _: [],
    "to_h": lambda _: {},
    "to_i": lambda _: 0,
    "to_f": lambda _: 0.0,
}
_BOOLEAN: Final[dict[str, Method]] = {}
_SYMBOL: Final[dict[str, Method]] = {
    "to_sym": lambda value: value,
    "to_proc": lambda value: value,
    "name": lambda value: value.name,
    **{name: _of_name(name) for name in words("length size empty? start_with? end_with? [] match?")},
    **{name: _renamed(name) for name in words("upcase downcase capitalize swapcase succ")},
}


def _of_items(function: Method) -> Method:
    """Return an array's method for the items of a range."""
    return lambda value, *rest, **options: function(value.items(), *rest, **options)


def _each_of_range(value: Range, block: Block | None = None) -> Any:
    if value.last is None:
        raise Unsupported("each of a range without an end")
    if block is None:
        return value.items()
    for item in value.items():
        block(item)
    return value


def _stepped(value: Range, step: int, block: Block | None = None) -> Any:
    if not (isinstance(value.first, int) and isinstance(value.last, int) and isinstance(step, int)) or step < 1:
        raise Unsupported("step over anything but whole numbers")
    return each_number(range(value.first, value.last + (not value.exclusive), step), block, value)


def _first_of_range(value: Range, count: int | None = None) -> Any:
    if count is None:
        return value.first
    if isinstance(value.first, int) and value.last is None:
        return each_number(range(value.first, value.first + count), None, value)
    return value.items()[:count]


RANGE_METHODS: Final[dict[str, Method]] = {
    **{name: _of_items(function) for name, function in ITEMS.items()},
    "each": _each_of_range,
    "to_a": lambda value: value.items(),
    "first": _first_of_range,
    "begin": lambda value: value.first,
    "end": lambda value: value.last,
    "last": lambda value, count=None: value.last if count is None else LIST_METHODS["last"](value.items(), count),
    "size": lambda value: len(value.items()),
    "include?": lambda value, item: value.covers(item),
    "member?": lambda value, item: value.covers(item),
    "cover?": lambda value, item: value.covers(item),
    "step": _stepped,
    "%": _stepped,
    "exclude_end?": lambda value: value.exclusive,
    "select": lambda value, block: LIST_METHODS["select"](value.items(), block),
    "filter": lambda value, block: LIST_METHODS["select"](value.items(), block),
    "reject": lambda value, block: LIST_METHODS["reject"](value.items(), block),
    "to_h": lambda value, block: LIST_METHODS["to_h"](value.items(), block),
}


def _named_captures(value: Match) -> dict[str, str | None]:
    return {name: value.named(name) for name in value.names}


MATCH_METHODS: Final[dict[str, Method]] = {
    "[]": group,
    "captures": lambda value: value.groups,
    "named_captures": _named_captures,
    "names": lambda value: list(value.names),
    "pre_match": lambda value: value.text[: value.start],
    "post_match": lambda value: value.text[value.end :],
    "to_a": lambda value: [value.group(0), *value.groups],
    "values_at": lambda value, *which: [group(value, each) for each in which],
    "begin": lambda value, number: value.slots[2 * number],
    "end": lambda value, number: value.slots[2 * number + 1],
    "length": lambda value: len(value.groups) + 1,
    "size": lambda value: len(value.groups) + 1,
}
REGEXP_METHODS: Final[dict[str, Method]] = {
    "match": lambda value, other: None if other is None else value.search(other),
    "match?": lambda value, other: other is not None and value.search(other) is not None,
    "=~": lambda value, other: None if other is None else TEXT_METHODS["=~"](other, value),
    "source": lambda value: value.source,
    "names": lambda value: list(value.program.names),
}
EXCEPTION_METHODS: Final[dict[str, Method]] = {
    "message": lambda value: value.message,
    "full_message": lambda value, *_options: f"{value.message} ({value.kind})",
    "backtrace": lambda _: [],
}
CLASS_METHODS: Final[dict[str, Method]] = {"name": lambda value: value.name}
STATUS_METHODS: Final[dict[str, Method]] = {
    "success?": lambda value: value.code == 0,
    "exitstatus": lambda value: value.code,
    "to_i": lambda value: value.code << 8,
}
PROC_METHODS: Final[dict[str, Method]] = {
    "arity": lambda value: value.arity,
    "lambda?": lambda value: getattr(value, "strict", True),
    "to_proc": lambda value: value,
    "call": lambda value, *arguments: value(*arguments),
}
_INTEGER_ONLY: Final = frozenset(
    words("times upto downto step even? odd? pred succ next chr ord digits gcd lcm bit_length pow")
)
_FLOAT_ONLY: Final = frozenset(["nan?"])

TABLES: Final[tuple[tuple[str, type | tuple[type, ...], dict[str, Method]], ...]] = (
    ("String", str, TEXT_METHODS),
    ("Array", list, LIST_METHODS),
    ("Hash", dict, MAP_METHODS),
    ("true, false", bool, _BOOLEAN),
    ("Integer", int, {name: function for name, function in NUMBER_METHODS.items() if name not in _FLOAT_ONLY}),
    ("Float", float, {name: function for name, function in NUMBER_METHODS.items() if name not in _INTEGER_ONLY}),
    ("Symbol", Symbol, _SYMBOL),
    ("Range", Range, RANGE_METHODS),
    ("Regexp", Regexp, REGEXP_METHODS),
    ("MatchData", Match, MATCH_METHODS),
    ("Proc", (Proc, NamedMethod), PROC_METHODS),
    ("ERB", InnerTemplate, INNER_METHODS),
    ("exceptions", ExceptionValue, EXCEPTION_METHODS),
    ("classes", ClassValue, CLASS_METHODS),
    ("`$?`", Status, STATUS_METHODS),
    ("`$stdout`, `$stderr`", Stream, STREAM_METHODS),
    ("nil", type(None), _NIL),
)
"""The classes with their methods, in the order of lookup. Classes of libraries have tables of their own."""


def names(receiver: Any) -> list[str]:
    """Return the names of a value's methods."""
    return [*_table(receiver), *ANY_METHODS]


def _table(receiver: Any) -> dict[str, Method]:
    for _, kind, table in TABLES:
        if isinstance(receiver, kind):
            return table
    own: dict[str, Method] = getattr(type(receiver), "METHODS", {})
    return own


def find(receiver: Any, name: str) -> Method | None:
    """Return the function of a value's method, None where templates may not call it."""
    return _table(receiver).get(name) or ANY_METHODS.get(name)
