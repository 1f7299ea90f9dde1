"""The methods of values that templates may call, as a table from name to function.

Each function takes the receiver, the positional arguments and, where the method yields, the block as a callable.
A method that is not here is refused by name, so nothing of Python's own objects can be reached.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from pykamal.config.document import Symbol
from pykamal.config.template.patterns import Pattern, replacement
from pykamal.config.template.values import blank, equal, inspected, text, true

Block = Callable[..., Any]
Method = Callable[..., Any]

MAXIMUM_TEXT: Final = 1024 * 1024
MAXIMUM_ITEMS: Final = 10_000


def find(receiver: Any, name: str) -> Method | None:
    """The function for a method of a value, None when templates may not call it."""
    match receiver:
        case str():
            table = _TEXT
        case list():
            table = _LIST
        case dict():
            table = _MAP
        case int() | float() if not isinstance(receiver, bool):
            table = _NUMBER
        case Symbol():
            table = _SYMBOL
        case _:
            table = {}
    if receiver is None and name == "to_a":
        return lambda _: []
    return table.get(name) or _ANY.get(name)


def _integer(value: Any) -> int:
    """Ruby's `to_i` of a text: leading digits, else 0."""
    if isinstance(value, str):
        digits = value.strip().replace("_", "")[:18]
        sign = -1 if digits.startswith("-") else 1
        digits = digits.lstrip("+-")
        length = len(digits) - len(digits.lstrip("0123456789"))
        return sign * int(digits[:length] or 0)
    return int(value or 0)


def _float(value: str) -> float:
    for end in range(min(len(value), 40), 0, -1):
        try:
            return float(value[:end].replace("_", ""))
        except ValueError:
            continue
    return 0.0


def _split(receiver: str, separator: str | Pattern | None = None, limit: int = 0) -> list[str]:
    if isinstance(separator, Pattern):
        if separator.compiled.fullmatch(""):
            raise ValueError("a separator must not be empty")
        parts = [part or "" for part in separator.on(receiver).split(receiver, max(0, limit - 1))]
    elif separator is None or separator == " ":
        parts = receiver.split(None, limit - 1) if limit > 0 else receiver.split()
    elif separator == "":
        parts = list(receiver)
    else:
        parts = receiver.split(separator, limit - 1) if limit > 0 else receiver.split(separator)
    while limit == 0 and parts and not parts[-1]:
        parts.pop()
    return parts


def _chomp(receiver: str, suffix: str | None = None) -> str:
    if suffix is not None:
        return receiver.removesuffix(suffix)
    return (
        receiver[:-2] if receiver.endswith("\r\n") else receiver[:-1] if receiver.endswith(("\n", "\r")) else receiver
    )


def _at(receiver: Any, index: Any, length: Any = None) -> Any:
    """`value[index]`, `value[start, length]` and `value[first..last]` of a text or a list."""
    if isinstance(receiver, str) and isinstance(index, str):
        return index if index in receiver else None
    if isinstance(receiver, str) and isinstance(index, Pattern):
        found = _matched(receiver, index)
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


def _repeated(receiver: Any, times: Any) -> Any:
    if isinstance(receiver, list) and isinstance(times, str):
        return _join(receiver, times)
    most = MAXIMUM_TEXT if isinstance(receiver, str) else MAXIMUM_ITEMS
    if not isinstance(times, int) or times < 0 or len(receiver) * times > most:
        raise ValueError("repeated too often")
    return receiver * times


def _replaced_all(receiver: str, old: str | Pattern, new: str | None = None, block: Block | None = None) -> str:
    return _replaced(receiver, old, new, block, count=0)


def _replaced_first(receiver: str, old: str | Pattern, new: str | None = None, block: Block | None = None) -> str:
    return _replaced(receiver, old, new, block, count=1)


def _replaced(receiver: str, old: str | Pattern, new: str | None, block: Block | None, count: int) -> str:
    if new is None and block is None:
        raise TypeError("a replacement or a block is needed")
    matcher = old.on(receiver) if isinstance(old, Pattern) else re.compile(re.escape(old))
    length = 0

    def inserted(match: re.Match[str]) -> str:
        nonlocal length
        result = text(block(match[0])) if block is not None else replacement(new or "", match)
        length += len(result)
        if length > MAXIMUM_TEXT:
            raise ValueError("the text becomes too long")
        return result

    return matcher.sub(inserted, receiver, count)


def _matched(receiver: str, pattern: Pattern) -> list[str | None] | None:
    """The match and its groups, as Ruby's MatchData is indexed."""
    match = pattern.on(receiver).search(receiver)
    return None if match is None else [match[0], *match.groups()]


def _scanned(receiver: str, pattern: Pattern) -> list[Any]:
    matches = list(pattern.on(receiver).finditer(receiver))
    return [list(match.groups()) if match.re.groups else match[0] for match in matches]


def position(receiver: Any, pattern: Any) -> int | None:
    """`=~`: where the first match begins."""
    if not isinstance(receiver, str):
        return None
    match = pattern.on(receiver).search(receiver)
    return None if match is None else match.start()


def formatted(form: str, values: tuple[Any, ...]) -> str:
    """`%` and `format`; a field may be some hundred characters wide."""
    if re.search(r"%[^a-zA-Z%]*[0-9]{4}|%[^a-zA-Z%]*\*", form):
        raise ValueError("a field is too wide")
    return form % values


def _join(receiver: list[Any], separator: str | None = None) -> str:
    return (separator or "").join(_join(item, separator) if isinstance(item, list) else text(item) for item in receiver)


def _tr(receiver: str, old: str, new: str) -> str:
    old, new = _expanded(old), _expanded(new)
    if old.startswith("^") and len(old) > 1:
        kept = set(old[1:])
        return "".join(character if character in kept else new[-1:] for character in receiver)
    padded = new + new[-1:] * max(0, len(old) - len(new))
    table = {ord(a): (padded[i] if padded else None) for i, a in reversed(list(enumerate(old)))}
    return receiver.translate(table)


def _expanded(characters: str) -> str:
    """`a-z` of `tr` and `delete` as all its letters."""
    result: list[str] = []
    index = 0
    while index < len(characters):
        if index + 2 < len(characters) and characters[index + 1] == "-":
            result += [chr(code) for code in range(ord(characters[index]), ord(characters[index + 2]) + 1)]
            index += 3
        else:
            result.append(characters[index])
            index += 1
    return "".join(result)[:MAXIMUM_ITEMS]


def _first(receiver: Any, count: int | None = None) -> Any:
    if isinstance(receiver, str):
        return receiver[: 1 if count is None else count]
    if count is not None:
        return receiver[: max(0, count)]
    return receiver[0] if receiver else None


def _last(receiver: Any, count: int | None = None) -> Any:
    if count is not None or isinstance(receiver, str):
        taken = 1 if count is None else count
        return receiver[-taken:] if taken > 0 else receiver[:0]
    return receiver[-1] if receiver else None


def _each(receiver: Any, block: Block) -> Any:
    for item in _items(receiver):
        block(item)
    return receiver


def _items(receiver: Any) -> list[Any]:
    """Of a map its pairs, as lists, which a block with two parameters takes apart."""
    return [[key, value] for key, value in receiver.items()] if isinstance(receiver, dict) else list(receiver)


def _each_with_index(receiver: list[Any], block: Block | None = None) -> Any:
    if block is None:
        return [[item, index] for index, item in enumerate(receiver)]
    for index, item in enumerate(receiver):
        block(item, index)
    return receiver


def _map(receiver: Any, block: Block | None = None) -> list[Any]:
    """Without a block the list itself: `map.with_index` goes on from there."""
    return _items(receiver) if block is None else [block(item) for item in _items(receiver)]


def _with_index(receiver: list[Any], offset: int = 0, block: Block | None = None) -> list[Any]:
    if block is None:
        return [[item, index + offset] for index, item in enumerate(receiver)]
    return [block(item, index + offset) for index, item in enumerate(receiver)]


def _selected(receiver: Any, block: Block, *, keep: bool = True) -> Any:
    if isinstance(receiver, dict):
        return {key: value for key, value in receiver.items() if true(block([key, value])) is keep}
    return [item for item in receiver if true(block(item)) is keep]


def _rejected(receiver: Any, block: Block) -> Any:
    return _selected(receiver, block, keep=False)


def _flattened(receiver: list[Any], levels: int = 50) -> list[Any]:
    result: list[Any] = []
    for item in receiver:
        result += _flattened(item, levels - 1) if isinstance(item, list) and levels else [item]
    return result


def _unique(receiver: list[Any]) -> list[Any]:
    result: list[Any] = []
    for item in receiver:
        if item not in result:
            result.append(item)
    return result


def _any(receiver: Any, block: Block | None = None) -> bool:
    return any(true(item if block is None else block(item)) for item in _items(receiver))


def _times(receiver: int, block: Block | None = None) -> Any:
    if receiver > MAXIMUM_ITEMS:
        raise ValueError(f"more than {MAXIMUM_ITEMS} turns")
    if block is None:
        return list(range(receiver))
    for index in range(receiver):
        block(index)
    return receiver


def _fetch(receiver: Any, key: Any, *default: Any, block: Block | None = None) -> Any:
    if isinstance(receiver, dict):
        if key in receiver:
            return receiver[key]
    elif isinstance(key, int) and -len(receiver) <= key < len(receiver):
        return receiver[key]
    if block is not None:
        return block(key)
    if default:
        return default[0]
    raise KeyError(f"key not found: {inspected(key)}")


def _dig(receiver: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(receiver, dict):
            receiver = receiver.get(key)
        elif isinstance(receiver, list):
            receiver = _at(receiver, key)
        else:
            return None
    return receiver


def _presence(receiver: Any) -> Any:
    return None if blank(receiver) else receiver


def _sorted(receiver: list[Any], block: Block | None = None) -> list[Any]:
    return sorted(receiver, key=block)


def _push(receiver: list[Any], *items: Any) -> list[Any]:
    receiver.extend(items)
    return receiver


def _jsonable(value: Any) -> Any:
    match value:
        case Symbol(name=name):
            return name
        case list():
            return [_jsonable(item) for item in value]
        case dict():
            return {text(key): _jsonable(item) for key, item in value.items()}
        case _:
            return value


_ANY: Final[dict[str, Method]] = {
    "to_s": text,
    "inspect": inspected,
    "nil?": lambda value: value is None,
    "blank?": blank,
    "present?": lambda value: not blank(value),
    "presence": _presence,
    "to_i": _integer,
    "to_json": lambda value: json.dumps(_jsonable(value), separators=(",", ":"), ensure_ascii=False),
    "freeze": lambda value: value,
    "dup": lambda value: value.copy() if isinstance(value, list | dict) else value,
    "then": lambda value, block: block(value),
    "tap": lambda value, block: (block(value), value)[1],
    "!": lambda value: not true(value),
}
_TEXT: Final[dict[str, Method]] = {
    "strip": lambda value: value.strip(" \t\n\v\f\r\0"),
    "lstrip": lambda value: value.lstrip(" \t\n\v\f\r\0"),
    "rstrip": lambda value: value.rstrip(" \t\n\v\f\r\0"),
    "squish": lambda value: " ".join(value.split()),
    "chomp": _chomp,
    "chop": lambda value: value[:-1],
    "upcase": str.upper,
    "downcase": str.lower,
    "capitalize": str.capitalize,
    "swapcase": str.swapcase,
    "split": _split,
    "lines": lambda value: value.splitlines(keepends=True),
    "chars": list,
    "sub": _replaced_first,
    "gsub": _replaced_all,
    "match": _matched,
    "match?": lambda value, pattern: _matched(value, pattern) is not None,
    "scan": _scanned,
    "tr": _tr,
    "delete": lambda value, characters: _tr(value, characters, ""),
    "delete_prefix": str.removeprefix,
    "delete_suffix": str.removesuffix,
    "start_with?": lambda value, *prefixes: value.startswith(prefixes),
    "end_with?": lambda value, *suffixes: value.endswith(suffixes),
    "include?": lambda value, part: part in value,
    "empty?": lambda value: not value,
    "length": len,
    "size": len,
    "reverse": lambda value: value[::-1],
    "to_f": _float,
    "to_sym": Symbol,
    "to_str": text,
    "first": _first,
    "last": _last,
    "index": lambda value, part: value.find(part) if part in value else None,
    "[]": _at,
    "slice": _at,
    "*": _repeated,
    "concat": lambda value, *others: "".join([value, *others]),
    "prepend": lambda value, other: other + value,
    "ljust": lambda value, width, pad=" ": value.ljust(min(width, MAXIMUM_ITEMS), pad),
    "rjust": lambda value, width, pad=" ": value.rjust(min(width, MAXIMUM_ITEMS), pad),
    "truncate": lambda value, length: value if len(value) <= length else f"{value[: max(0, length - 3)]}...",
    "bytesize": lambda value: len(value.encode()),
}
_LIST: Final[dict[str, Method]] = {
    "to_a": lambda value: value,
    "each": _each,
    "each_with_index": _each_with_index,
    "map": _map,
    "collect": _map,
    "with_index": _with_index,
    "flat_map": lambda value, block: _flattened([block(item) for item in value], levels=1),
    "select": _selected,
    "filter": _selected,
    "reject": _rejected,
    "filter_map": lambda value, block: [result for item in value if true(result := block(item))],
    "find": lambda value, block: next((item for item in value if true(block(item))), None),
    "detect": lambda value, block: next((item for item in value if true(block(item))), None),
    "join": _join,
    "first": _first,
    "last": _last,
    "take": lambda value, count: value[: max(0, count)],
    "drop": lambda value, count: value[max(0, count) :],
    "length": len,
    "size": len,
    "count": lambda value, block=None: len(value) if block is None else len(_selected(value, block)),
    "empty?": lambda value: not value,
    "any?": _any,
    "all?": lambda value, block: all(true(block(item)) for item in value),
    "none?": lambda value, block=None: not _any(value, block),
    "include?": lambda value, item: any(equal(item, other) for other in value),
    "sort": _sorted,
    "sort_by": _sorted,
    "uniq": _unique,
    "compact": lambda value: [item for item in value if item is not None],
    "compact_blank": lambda value: [item for item in value if not blank(item)],
    "flatten": _flattened,
    "reverse": lambda value: value[::-1],
    "push": _push,
    "append": _push,
    "concat": lambda value, *others: _push(value, *(item for other in others for item in other)),
    "min": lambda value: min(value, default=None),
    "max": lambda value: max(value, default=None),
    "sum": sum,
    "index": lambda value, item: value.index(item) if item in value else None,
    "zip": lambda value, other: [[a, other[i] if i < len(other) else None] for i, a in enumerate(value)],
    "to_h": lambda value: {item[0]: item[1] for item in value},
    "[]": _at,
    "slice": _at,
    "fetch": _fetch,
    "dig": _dig,
    "*": _repeated,
    "without": lambda value, *items: [item for item in value if item not in items],
    "excluding": lambda value, *items: [item for item in value if item not in items],
}
_MAP: Final[dict[str, Method]] = {
    "to_a": lambda value: [[key, item] for key, item in value.items()],
    "[]": lambda value, key: value.get(key),
    "fetch": _fetch,
    "dig": _dig,
    "key?": lambda value, key: key in value,
    "has_key?": lambda value, key: key in value,
    "include?": lambda value, key: key in value,
    "keys": lambda value: list(value.keys()),
    "values": lambda value: list(value.values()),
    "values_at": lambda value, *keys: [value.get(key) for key in keys],
    "each": _each,
    "each_pair": _each,
    "map": _map,
    "collect": _map,
    "select": _selected,
    "filter": _selected,
    "reject": _rejected,
    "any?": _any,
    "empty?": lambda value: not value,
    "length": len,
    "size": len,
    "count": len,
    "merge": lambda value, other: {**value, **other},
    "slice": lambda value, *keys: {key: value[key] for key in keys if key in value},
    "except": lambda value, *keys: {key: item for key, item in value.items() if key not in keys},
    "to_h": lambda value: value,
    "transform_values": lambda value, block: {key: block(item) for key, item in value.items()},
    "sort_by": lambda value, block: sorted(_items(value), key=block),
}
_NUMBER: Final[dict[str, Method]] = {
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
