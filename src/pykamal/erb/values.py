"""Ruby's semantics of values (truth, text, classes, blank) over plain Python values.

nil, true, false, numbers, lists and maps are Python's own; a text is a RubyString.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pykamal.core.ruby import Symbol, ruby_float
from pykamal.erb.budget import MAXIMUM_DEPTH, check_items
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.matcher import Match, Regexp

_ESCAPES: Final = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\x1b": "\\e",
    "\a": "\\a",
    "\b": "\\b",
    "\v": "\\v",
    "\f": "\\f",
    "\0": "\\0",
}
_UNSAFE_IN_SHELL: Final = re.compile(r"([^A-Za-z0-9_\-.,:+/@\n])", re.ASCII)
_INTERPOLATION: Final = re.compile(r"#(?=[{$@])")
_PLAIN_SYMBOL: Final = re.compile(r"[^\W\d]\w*[?!=]?|\[\]=?|[+\-*/%<>!]|<=>|===?|=~|\*\*|<<|>>|<=|>=|!=")
_HASH: Final = r"\\#"

Block = Callable[..., Any]
Method = Callable[..., Any]


class RubyString(str):
    """A mutable string over an immutable one of Python: a change in place sets a `successor`.

    Variables and lists that hold it get the last successor when they are read the next time.
    """

    successor: RubyString | None = None
    frozen = False


def latest(value: Any) -> Any:
    """Return the value; of a string that was changed in place its latest state."""
    while isinstance(value, RubyString) and value.successor is not None:
        value = value.successor
    return value


def change(value: Any, changed: str) -> RubyString:
    """Change a string in place. Raises RubyError for a frozen one."""
    if getattr(value, "frozen", False):
        raise RubyError(f"can't modify frozen String: {inspected(value)}", "FrozenError")
    successor = RubyString(changed)
    if isinstance(value, RubyString):
        value.successor = successor
    return successor


@dataclass(frozen=True, slots=True)
class Range:
    """A range `first..last` of numbers or strings. Without `last` it has no end."""

    first: Any
    last: Any
    exclusive: bool = False

    def items(self) -> list[Any]:
        """Return the items of a value. Raises BudgetExceeded for too many, RubyError where there are none to count."""
        if isinstance(self.first, str) and isinstance(self.last, str):
            return list(self._texts(self.first, self.last))
        if not _whole(self.first):
            raise RubyError(f"can't iterate from {class_name(self.first)}", "TypeError")
        if self.last is None:
            raise Unsupported("a range without an end, outside of an index,")
        if isinstance(self.last, float):
            numbers = range(self.first, int(self.last // 1) + 1 - (self.exclusive and self.last == self.last // 1))
        else:
            numbers = range(self.first, self.last + (not self.exclusive))
        check_items(len(numbers) if numbers.stop - numbers.start < 2**60 else 2**60)
        return list(numbers)

    def _texts(self, first: str, last: str) -> Iterator[str]:
        from pykamal.erb.transliteration import successor

        count = 0
        while len(first) <= len(last) and not (self.exclusive and first == last):
            count += 1
            check_items(count)
            yield first
            if first == last:
                return
            first = successor(first)

    def covers(self, value: Any) -> bool:
        try:
            above = self.first is None or bool(self.first <= value)
            below = self.last is None or bool(value < self.last if self.exclusive else value <= self.last)
        except TypeError:
            return False
        return above and below


@dataclass(frozen=True, slots=True)
class ClassValue:
    """A class or module that a template names, for `is_a?` or `raise`."""

    name: str


@dataclass(frozen=True, slots=True)
class ExceptionValue:
    """The exception of `rescue => error`."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """The value of `$?`: the status of the last shell line."""

    code: int


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def true(value: Any) -> bool:
    """Return Ruby's truth of a value: only nil and false are false."""
    return value is not None and value is not False


def blank(value: Any) -> bool:
    """Return True for nil, false, an empty or white-space string, an empty array or hash."""
    if isinstance(value, str):
        return not value.strip()
    return not true(value) or (isinstance(value, list | dict) and not value)


def text(value: Any) -> str:
    """Return Ruby's `to_s`, which a tag inserts."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | Symbol():
            return str(value)
        case float():
            return ruby_float(value)
        case Range():
            return f"{text(value.first)}{'...' if value.exclusive else '..'}{text(value.last)}"
        case Match():
            return value.group(0) or ""
        case ExceptionValue(message=message):
            return message
        case ClassValue(name=name):
            return name
        case Status(code=code):
            return f"exit {code}"
        case list() | dict():
            return inspected(value)
        case _:
            return _own_text(value)


def _own_text(value: Any) -> str:
    """Return the text of a value of this package, such as a time, where it has one."""
    own: Any = type(value).__str__
    if own is object.__str__:
        raise Unsupported(f"{described(value)} as a text")
    return str(value)


def inspected(value: Any, depth: int = 0) -> str:
    """Return Ruby's `inspect` in the format before version 3.4."""
    if depth > MAXIMUM_DEPTH:
        raise RubyError("a list holds itself, or is nested too deeply", "ArgumentError")
    match value:
        case None:
            return "nil"
        case str():
            escaped = "".join(_ESCAPES.get(character, character) for character in value)
            return f'"{_INTERPOLATION.sub(_HASH, escaped)}"'
        case Symbol(name=name):
            return f":{name}" if _PLAIN_SYMBOL.fullmatch(name) else f":{inspected(name)}"
        case list():
            return f"[{', '.join(inspected(item, depth + 1) for item in value)}]"
        case dict():
            pairs = (f"{inspected(key, depth + 1)}=>{inspected(item, depth + 1)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case Range(first=first, last=last, exclusive=exclusive):
            ends = ("" if end is None else inspected(end, depth + 1) for end in (first, last))
            return ("..." if exclusive else "..").join(ends)
        case Regexp(source=source, flags=flags):
            return f"/{re.sub('(?<!' + _HASH[0] + _HASH[0] + ')/', _HASH[0] + '/', source)}/{flags}"
        case Match():
            groups = [f" {name}:{inspected(value.named(name))}" for name in value.names]
            groups = groups or [f" {number}:{inspected(each)}" for number, each in enumerate(value.groups, start=1)]
            return f"#<MatchData {inspected(value.group(0))}{''.join(groups)}>"
        case ExceptionValue(kind=kind, message=message):
            return f"#<{kind}: {message}>"
        case _:
            method = getattr(value, "inspected", None)
            return text(value) if method is None else str(method())


def as_json(value: Any) -> str:
    import json

    return json.dumps(_jsonable(value), separators=(",", ":"), ensure_ascii=False)


def _jsonable(value: Any, depth: int = 0) -> Any:
    if depth > MAXIMUM_DEPTH:
        raise RubyError("nesting is too deep", "JSON::NestingError")
    match value:
        case list():
            return [_jsonable(item, depth + 1) for item in value]
        case dict():
            return {text(key): _jsonable(item, depth + 1) for key, item in value.items()}
        case None | bool() | int() | str():
            return value
        case float() if value - value == 0:
            return value
        case float():
            raise RubyError(f"{text(value)} not allowed in JSON", "JSON::GeneratorError")
        case _:
            return text(value)


def shell_escaped(value: str) -> str:
    """Escape like Ruby: a backslash before every special character."""
    return _UNSAFE_IN_SHELL.sub(r"\\\1", value).replace("\n", "'\n'") if value else "''"


def equal(left: Any, right: Any) -> bool:
    """Return Ruby's `==`, which tells true from 1 unlike Python."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return bool(left == right)


def count(value: Any, most: int, depth: int = 0) -> int:
    """Count the items in a value, shared parts each time, up to `most`.

    On its way it makes Python's texts inside of lists and maps Ruby's, and replaces those that were changed.
    Raises RubyError for a value that is nested too deeply, or holds itself.
    """
    if isinstance(value, str):
        return 1 + len(value) // 16
    if not isinstance(value, list | dict):
        return 1
    if depth > MAXIMUM_DEPTH:
        raise RubyError("a list holds itself, or is nested too deeply", "ArgumentError")
    total = 1
    for place, item in enumerate(value) if isinstance(value, list) else list(value.items()):
        if isinstance(item, str):
            if type(item) is not RubyString or item.successor is not None:
                value[place] = latest(item) if isinstance(item, RubyString) else RubyString(item)
            total += 1 + len(item) // 16
        else:
            total += count(item, most - total, depth + 1)
        if total > most:
            break
    return total


_CLASSES: Final[tuple[tuple[type, str], ...]] = (
    (bool, ""),
    (str, "String"),
    (int, "Integer"),
    (float, "Float"),
    (list, "Array"),
    (dict, "Hash"),
    (Symbol, "Symbol"),
    (Range, "Range"),
    (Regexp, "Regexp"),
    (Match, "MatchData"),
    (ClassValue, "Class"),
    (Status, "Process::Status"),
)


def class_name(value: Any) -> str:
    """Return the name of a value's class in Ruby."""
    if value is None:
        return "NilClass"
    if isinstance(value, bool):
        return "TrueClass" if value else "FalseClass"
    if isinstance(value, ExceptionValue):
        return value.kind
    known = next((name for kind, name in _CLASSES if isinstance(value, kind)), None)
    return known if known is not None else str(getattr(value, "CLASS", "Object"))


def described(value: Any) -> str:
    """Describe a value for Ruby's messages: `nil`, `true` or `an instance of String`."""
    if value is None or isinstance(value, bool):
        return inspected(value)
    if isinstance(value, ClassValue):
        return f"class {value.name}"
    return f"an instance of {class_name(value)}"


def in_message(value: Any) -> str:
    """Describe a value for messages about conversions: `nil`, `true`, or the name of its class."""
    return inspected(value) if value is None or isinstance(value, bool) else class_name(value)
