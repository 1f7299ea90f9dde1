"""Methods of lists and maps, as tables from name to function; each takes the receiver first, a block by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key, reduce
from itertools import dropwhile, takewhile
from typing import Any, Final

from pykamal.erb.indexing import MAXIMUM_ITEMS, at, first, join, last, repeated, unique, without
from pykamal.erb.values import blank, equal, inspected, shell_escaped, text, true

_NOTHING: Final = object()

Block = Callable[..., Any]
Method = Callable[..., Any]


def each(receiver: Any, block: Block | None = None) -> Any:
    """Without a block the items: `each.with_index` goes on from there."""
    if block is None:
        return _items(receiver)
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


def _any(receiver: Any, block: Block | None = None) -> bool:
    return any(true(item if block is None else block(item)) for item in _items(receiver))


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
            receiver = at(receiver, key)
        else:
            return None
    return receiver


def _sorted(receiver: Any, block: Block | None = None) -> list[Any]:
    return sorted(_items(receiver), key=None if block is None else cmp_to_key(block))


def _sorted_by(receiver: Any, block: Block) -> list[Any]:
    return sorted(_items(receiver), key=block)


def _sum(receiver: Any, start: Any = 0, block: Block | None = None) -> Any:
    return sum((item if block is None else block(item) for item in _items(receiver)), start)


def _reduced(receiver: Any, start: Any = _NOTHING, block: Block | None = None) -> Any:
    items = _items(receiver)
    if block is None:
        raise TypeError("a block is needed")
    if start is _NOTHING:
        return reduce(block, items) if items else None
    return reduce(block, items, start)


def _with_object(receiver: Any, memo: Any, block: Block) -> Any:
    for item in _items(receiver):
        block(item, memo)
    return memo


def _grouped(receiver: Any, block: Block) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for item in _items(receiver):
        groups.setdefault(block(item), []).append(item)
    return groups


def _parted(receiver: Any, block: Block) -> list[list[Any]]:
    parts: tuple[list[Any], list[Any]] = ([], [])
    for item in _items(receiver):
        parts[not true(block(item))].append(item)
    return list(parts)


def _product(receiver: list[Any], other: list[Any]) -> list[list[Any]]:
    if len(receiver) * len(other) > MAXIMUM_ITEMS:
        raise ValueError("too many pairs")
    return [[one, another] for one in receiver for another in other]


def _tallied(receiver: list[Any]) -> dict[Any, int]:
    return {key: len(items) for key, items in _grouped(receiver, lambda item: item).items()}


def _slices(receiver: list[Any], length: int, step: int, block: Block | None) -> Any:
    if length < 1:
        raise ValueError("a length must be positive")
    stop = len(receiver) if step == length else len(receiver) - length + 1
    return each([receiver[start : start + length] for start in range(0, stop, step)], block)


def _push(receiver: list[Any], *items: Any) -> list[Any]:
    receiver.extend(items)
    return receiver


LIST_METHODS: Final[dict[str, Method]] = {
    "to_a": lambda value: value,
    "each": each,
    "each_with_index": _each_with_index,
    "each_with_object": _with_object,
    "each_slice": lambda value, length, block=None: _slices(value, length, length, block),
    "each_cons": lambda value, length, block=None: _slices(value, length, 1, block),
    "map": _map,
    "collect": _map,
    "with_index": _with_index,
    "reduce": _reduced,
    "inject": _reduced,
    "group_by": _grouped,
    "partition": _parted,
    "tally": _tallied,
    "find_index": lambda value, block: next((index for index, item in enumerate(value) if true(block(item))), None),
    "take_while": lambda value, block: list(takewhile(lambda item: true(block(item)), value)),
    "drop_while": lambda value, block: list(dropwhile(lambda item: true(block(item)), value)),
    "values_at": lambda value, *indexes: [at(value, index) for index in indexes],
    "rotate": lambda value, count=1: value[count % len(value) :] + value[: count % len(value)] if value else [],
    "transpose": lambda value: [list(column) for column in zip(*value, strict=True)],
    "product": _product,
    "min_by": lambda value, block: min(value, key=block, default=None),
    "max_by": lambda value, block: max(value, key=block, default=None),
    "one?": lambda value, block: sum(true(block(item)) for item in value) == 1,
    "shelljoin": lambda value: " ".join(shell_escaped(text(item)) for item in value),
    "flat_map": lambda value, block: _flattened([block(item) for item in value], levels=1),
    "select": _selected,
    "filter": _selected,
    "reject": _rejected,
    "filter_map": lambda value, block: [result for item in value if true(result := block(item))],
    "find": lambda value, block: next((item for item in value if true(block(item))), None),
    "detect": lambda value, block: next((item for item in value if true(block(item))), None),
    "join": join,
    "first": first,
    "last": last,
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
    "sort_by": _sorted_by,
    "uniq": unique,
    "compact": lambda value: [item for item in value if item is not None],
    "compact_blank": lambda value: [item for item in value if not blank(item)],
    "flatten": _flattened,
    "reverse": lambda value: value[::-1],
    "push": _push,
    "append": _push,
    "concat": lambda value, *others: _push(value, *(item for other in others for item in other)),
    "min": lambda value: min(value, default=None),
    "max": lambda value: max(value, default=None),
    "sum": _sum,
    "index": lambda value, item: value.index(item) if item in value else None,
    "zip": lambda value, other: [[a, other[i] if i < len(other) else None] for i, a in enumerate(value)],
    "to_h": lambda value: {item[0]: item[1] for item in value},
    "[]": at,
    "slice": at,
    "fetch": _fetch,
    "dig": _dig,
    "*": repeated,
    "without": lambda value, *items: without(value, list(items)),
    "excluding": lambda value, *items: without(value, list(items)),
}
MAP_METHODS: Final[dict[str, Method]] = {
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
    "each": each,
    "each_pair": each,
    "each_with_index": lambda value, block=None: _each_with_index(_items(value), block),
    "each_with_object": _with_object,
    "find": lambda value, block: next((item for item in _items(value) if true(block(item))), None),
    "sum": _sum,
    "sort": _sorted,
    "filter_map": lambda value, block: [result for item in _items(value) if true(result := block(item))],
    "flat_map": lambda value, block: _flattened([block(item) for item in _items(value)], levels=1),
    "group_by": _grouped,
    "compact": lambda value: {key: item for key, item in value.items() if item is not None},
    "invert": lambda value: {item: key for key, item in value.items()},
    "transform_keys": lambda value, block: {block(key): item for key, item in value.items()},
    "key": lambda value, wanted: next((key for key, item in value.items() if equal(item, wanted)), None),
    "all?": lambda value, block: all(true(block(item)) for item in _items(value)),
    "none?": lambda value, block=None: not _any(value, block),
    "first": lambda value, count=None: first(_items(value), count),
    "delete": lambda value, key: value.pop(key, None),
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
    "sort_by": _sorted_by,
    "min_by": lambda value, block: min(_items(value), key=block, default=None),
    "max_by": lambda value, block: max(_items(value), key=block, default=None),
}
