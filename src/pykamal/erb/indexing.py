"""What texts and lists have in common: taking parts, repeating, joining."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pykamal.erb.regexps import Regexp
from pykamal.erb.values import inspected, text

MAXIMUM_TEXT: Final = 1024 * 1024
MAXIMUM_ITEMS: Final = 10_000
MAXIMUM_FILE_BYTES: Final = 1024 * 1024


def matched(receiver: str, pattern: Regexp) -> list[str | None] | None:
    """The match and its groups, as Ruby's MatchData is indexed."""
    match = pattern.on(receiver).search(receiver)
    return None if match is None else [match[0], *match.groups()]


def at(receiver: Any, index: Any, length: Any = None) -> Any:
    """`value[index]`, `value[start, length]` and `value[first..last]` of a text or a list."""
    if isinstance(receiver, str) and isinstance(index, str):
        return index if index in receiver else None
    if isinstance(receiver, str) and isinstance(index, Regexp):
        found = matched(receiver, index)
        return None if found is None else found[length or 0]
    if isinstance(index, range):
        start = index.start if index.start >= 0 else index.start + len(receiver)
        stop = index.stop if index.stop > 0 else index.stop + len(receiver)
        return receiver[start:stop] if 0 <= start <= len(receiver) else None
    if not isinstance(index, int) or isinstance(index, bool):
        raise TypeError("an index must be a number")
    start = index if index >= 0 else index + len(receiver)
    if length is not None:
        return receiver[start : start + length] if 0 <= start <= len(receiver) and length >= 0 else None
    return receiver[start] if 0 <= start < len(receiver) else None


def identity(value: Any) -> Any:
    """A key under which equal values are found, as Ruby's `eql?` sees them: 1 is neither 1.0 nor true."""
    return (type(value).__name__, inspected(value) if isinstance(value, list | dict | range) else value)


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
    most = MAXIMUM_TEXT if isinstance(receiver, str) else MAXIMUM_ITEMS
    if isinstance(times, bool) or not isinstance(times, int) or times < 0 or len(receiver) * times > most:
        raise ValueError("repeated too often")
    return receiver * times


def join(receiver: list[Any], separator: str | None = None) -> str:
    return (separator or "").join(join(item, separator) if isinstance(item, list) else text(item) for item in receiver)


def first(receiver: Any, count: int | None = None) -> Any:
    if isinstance(receiver, str):
        return receiver[: 1 if count is None else count]
    if count is not None:
        return receiver[: max(0, count)]
    return receiver[0] if receiver else None


def last(receiver: Any, count: int | None = None) -> Any:
    if count is not None or isinstance(receiver, str):
        taken = 1 if count is None else count
        return receiver[-taken:] if taken > 0 else receiver[:0]
    return receiver[-1] if receiver else None
