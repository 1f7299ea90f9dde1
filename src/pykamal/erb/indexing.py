"""Operations that strings and arrays share: parts, repetition, joining, equality of items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pykamal.erb.budget import MAXIMUM_ITEMS, BudgetExceeded, check_items, check_text
from pykamal.erb.errors import RubyError
from pykamal.erb.matcher import Regexp
from pykamal.erb.values import Range, in_message, inspected, text


def at(receiver: Any, index: Any, length: Any = None) -> Any:
    """Return `value[index]`, `value[start, length]` or `value[first..last]` of a string or an array."""
    if isinstance(receiver, str) and isinstance(index, str):
        return index if index in receiver else None
    if isinstance(receiver, str) and isinstance(index, Regexp):
        found = index.search(receiver)
        return None if found is None else group(found, 0 if length is None else length)
    if isinstance(index, Range):
        bounds = span(index, len(receiver))
        return None if bounds is None else receiver[bounds[0] : bounds[1]]
    if isinstance(index, float):
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool):
        raise RubyError(f"no implicit conversion from {in_message(index)} to integer", "TypeError")
    start = index if index >= 0 else index + len(receiver)
    if length is not None:
        return receiver[start : start + length] if 0 <= start <= len(receiver) and length >= 0 else None
    return receiver[start] if 0 <= start < len(receiver) else None


def span(index: Range, length: int) -> tuple[int, int] | None:
    """Return start and stop of a range of indices; None where it starts behind the end."""
    first, last = index.first or 0, index.last
    start = first if first >= 0 else first + length
    if not 0 <= start <= length:
        return None
    if last is None:
        return start, length
    stop = last if last >= 0 else last + length
    return start, max(start, stop if index.exclusive else stop + 1)


def group(match: Any, which: Any) -> str | None:
    """Return a group of a match by its number or name."""
    if isinstance(which, int):
        found: str | None = match.group(which if which >= 0 else which + len(match.slots) // 2)
        return found
    try:
        return str(named) if (named := match.named(text(which))) is not None else None
    except KeyError:
        raise RubyError(f"undefined group name reference: {text(which)}", "IndexError") from None


def identity(value: Any) -> Any:
    """Return a key that equal values share, equal in the sense of Ruby's `eql?`: 1 is neither 1.0 nor true."""
    return (type(value).__name__, inspected(value) if isinstance(value, list | dict | Range) else value)


def without(receiver: list[Any], others: list[Any]) -> list[Any]:
    found = {identity(other) for other in others}
    return [item for item in receiver if identity(item) not in found]


def common(receiver: list[Any], others: list[Any]) -> list[Any]:
    found = {identity(other) for other in others}
    return unique([item for item in receiver if identity(item) in found])


def unique(receiver: list[Any], block: Callable[..., Any] | None = None) -> list[Any]:
    first: dict[Any, Any] = {}
    for item in receiver:
        first.setdefault(identity(item if block is None else block(item)), item)
    return list(first.values())


def repeated(receiver: Any, times: Any) -> Any:
    if isinstance(receiver, list) and isinstance(times, str):
        return join(receiver, times)
    if isinstance(times, bool) or not isinstance(times, int):
        raise RubyError(f"no implicit conversion of {in_message(times)} into Integer", "TypeError")
    if times < 0:
        raise RubyError(
            "argument must be non-negative" if isinstance(receiver, list) else "negative argument", "ArgumentError"
        )
    (check_text if isinstance(receiver, str) else check_items)(len(receiver) * times)
    return receiver * times


def join(receiver: list[Any], separator: str | None = None) -> str:
    between = separator or ""
    parts = [join(item, separator) if isinstance(item, list) else text(item) for item in receiver]
    check_text(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def first(receiver: Any, count: int | None = None) -> Any:
    if count is not None:
        if count < 0:
            raise RubyError("negative array size (or size too big)", "ArgumentError")
        return receiver[:count]
    return receiver[0] if receiver else None


def last(receiver: Any, count: int | None = None) -> Any:
    if count is not None:
        if count < 0:
            raise RubyError("negative array size", "ArgumentError")
        return receiver[-count:] if count > 0 else receiver[:0]
    return receiver[-1] if receiver else None


def flattened(receiver: list[Any], levels: int | None = None) -> list[Any]:
    """Flatten a list. Raises BudgetExceeded where it becomes too long or contains itself."""
    result: list[Any] = []
    waiting: list[tuple[Any, int]] = [(iter(receiver), 0)]
    while waiting:
        items, depth = waiting[-1]
        item = next(items, _END)
        if item is _END:
            waiting.pop()
        elif isinstance(item, list) and (levels is None or levels < 0 or depth < levels):
            if depth > MAXIMUM_ITEMS:
                raise BudgetExceeded("a list is nested too deeply")
            waiting.append((iter(item), depth + 1))
        else:
            result.append(item)
            check_items(len(result))
    return result


_END = object()
