"""The methods that arrays, hashes and ranges share, as a table from name to function. Receivers come first."""

from __future__ import annotations

from functools import cmp_to_key
from itertools import dropwhile, takewhile
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.budget import check_items, check_text
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.indexing import at, first, flattened, unique
from pykamal.erb.operators import compare, covers, operate
from pykamal.erb.values import Block, Method, Range, RubyString, equal, inspected, true

_NOTHING: Final = object()
_ORDER: Final = cmp_to_key(lambda one, other: -compare(other, one))
"""Python compares a later item with an earlier one, Ruby the other way round; error messages show it."""


def items(receiver: Any) -> list[Any]:
    """Return the items; of a hash its pairs as lists, which a block with two parameters takes apart."""
    return [[key, value] for key, value in receiver.items()] if isinstance(receiver, dict) else list(receiver)


def each(receiver: Any, block: Block | None = None) -> Any:
    """Call the block with each item; without one return the items, for `each.with_index`."""
    if block is None:
        return items(receiver)
    for item in items(receiver):
        block(item)
    return receiver


def _each_with_index(receiver: Any, offset: int | None = None, block: Block | None = None) -> Any:
    start = offset or 0
    if block is None:
        return [[item, index] for index, item in enumerate(items(receiver), start)]
    for index, item in enumerate(items(receiver), start):
        block(item, index)
    return receiver


def _with_index(receiver: list[Any], offset: int | None = None, block: Block | None = None) -> list[Any]:
    if block is None:
        return [[item, index] for index, item in enumerate(receiver, offset or 0)]
    return [block(item, index) for index, item in enumerate(receiver, offset or 0)]


def _map(receiver: Any, block: Block | None = None) -> list[Any]:
    """Return the block's values; without one the list itself, for `map.with_index`."""
    return items(receiver) if block is None else [block(item) for item in items(receiver)]


def selected(receiver: Any, block: Block, *, keep: bool = True) -> Any:
    if isinstance(receiver, dict):
        return {key: value for key, value in receiver.items() if true(block(key, value)) is keep}
    return [item for item in receiver if true(block(item)) is keep]


def rejected(receiver: Any, block: Block) -> Any:
    return selected(receiver, block, keep=False)


def _tests(pattern: Any, block: Block | None) -> Block:
    """Return the test of each item in `any?`, `all?`, `none?` and `one?`."""
    if pattern is not _NOTHING:
        return lambda item: covers(pattern, item)
    return block if block is not None else lambda item: item


def _any(receiver: Any, pattern: Any = _NOTHING, block: Block | None = None) -> bool:
    test = _tests(pattern, block)
    return any(true(test(item)) for item in items(receiver))


def _all(receiver: Any, pattern: Any = _NOTHING, block: Block | None = None) -> bool:
    test = _tests(pattern, block)
    return all(true(test(item)) for item in items(receiver))


def _one(receiver: Any, pattern: Any = _NOTHING, block: Block | None = None) -> bool:
    test = _tests(pattern, block)
    return sum(true(test(item)) for item in items(receiver)) == 1


def _found(receiver: Any, block: Block) -> Any:
    return next((item for item in items(receiver) if true(block(item))), None)


def _grep(receiver: Any, pattern: Any, block: Block | None = None, *, keep: bool = True) -> list[Any]:
    found = [item for item in items(receiver) if covers(pattern, item) is keep]
    return found if block is None else [block(item) for item in found]


def map_key(key: Any) -> Any:
    """Return the key. Raises Unsupported for a key whose equality differs between Python and Ruby."""
    if isinstance(key, list | dict | float):
        raise Unsupported(f"{'a fraction' if isinstance(key, float) else 'a list or a map'} as key")
    return str(key) if isinstance(key, str) else key  # a key stays what it is when the text is changed


def holds(receiver: dict[Any, Any], key: Any) -> bool:
    """Return True where a hash has the key. Python alone would take true for 1 and false for 0."""
    if isinstance(key, list | dict | float) or key not in receiver:
        return False
    return key not in (0, 1) or any(type(each) is type(key) and each == key for each in receiver)


def fetch(receiver: Any, key: Any, *default: Any, block: Block | None = None) -> Any:
    if isinstance(receiver, dict):
        if holds(receiver, key):
            return receiver[key]
    elif isinstance(key, int) and -len(receiver) <= key < len(receiver):
        return receiver[key]
    if block is not None:
        return block(key)
    if default:
        return default[0]
    if isinstance(receiver, dict):
        raise RubyError(f"key not found: {inspected(key)}", "KeyError")
    size = len(receiver)
    raise RubyError(f"index {inspected(key)} outside of array bounds: {-size}...{size}", "IndexError")


def dig(receiver: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(receiver, dict):
            receiver = receiver.get(key)
        elif isinstance(receiver, list):
            receiver = at(receiver, key)
        elif receiver is None:
            return None
        else:
            raise RubyError(f"{inspected(receiver)} does not have #dig method", "TypeError")
    return receiver


# -- order


def sort(receiver: Any, block: Block | None = None) -> list[Any]:
    if block is not None:
        return sorted(items(receiver), key=cmp_to_key(lambda one, other: _order_of(block(one, other))))
    return sorted(items(receiver), key=_key_for(items(receiver)))


def _key_for(values: list[Any]) -> Any:
    """Return Python's sort key; strings alone and integers alone need none, which is much faster."""
    kinds = {type(value) for value in values}
    return None if kinds in ({str}, {RubyString}, {int}) else _ORDER


def _order_of(value: Any) -> int:
    if not isinstance(value, int):
        raise RubyError("comparison of the block's values failed", "ArgumentError")
    return value


def sort_by(receiver: Any, block: Block) -> list[Any]:
    values = items(receiver)
    keys = [block(item) for item in values]
    key = _key_for(keys)
    order = sorted(
        range(len(values)), key=(lambda place: keys[place]) if key is None else lambda place: key(keys[place])
    )
    return [values[place] for place in order]


def _extreme(sign: int, by: bool) -> Method:
    """Return the first item in an order, or the first `count`, for `min`, `max`, `min_by` and `max_by`."""

    def extreme(receiver: Any, count: int | None = None, block: Block | None = None) -> Any:
        if by and block is None:
            raise Unsupported("this method without a block")
        values = items(receiver)
        keys = [block(item) for item in values] if by and block is not None else values

        def order(one: int, other: int) -> int:
            if block is not None and not by:
                return sign * _order_of(block(values[one], values[other]))
            return sign * compare(keys[one], keys[other])

        if count is not None:
            return [values[index] for index in sorted(range(len(values)), key=cmp_to_key(order))[:count]]
        best = 0
        for index in range(1, len(values)):
            best = index if order(index, best) < 0 else best
        return values[best] if values else None

    return extreme


def _sum(receiver: Any, start: Any = 0, block: Block | None = None) -> Any:
    total, size = start, 0
    for item in items(receiver):
        total = operate("+", total, item if block is None else block(item))
        size += len(total) if isinstance(total, str | list) else 0
        check_text(size)
    return total


def reduced(receiver: Any, *given: Any, block: Block | None = None) -> Any:
    arguments = list(given)
    if block is None:
        if not arguments or not isinstance(arguments[-1], Symbol | str):
            raise RubyError("no block given", "LocalJumpError")
        operator = str(arguments.pop())
        block = lambda total, item: operate(operator, total, item)  # noqa: E731 - the two ways to say it meet here
    values = iter(items(receiver))
    total = arguments[0] if arguments else next(values, None)
    for item in values:
        total = block(total, item)
    return total


# -- groups


def _grouped(receiver: Any, block: Block) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for item in items(receiver):
        groups.setdefault(map_key(block(item)), []).append(item)
    return groups


def _parted(receiver: Any, block: Block) -> list[list[Any]]:
    parts: tuple[list[Any], list[Any]] = ([], [])
    for item in items(receiver):
        parts[not true(block(item))].append(item)
    return list(parts)


def _tallied(receiver: list[Any]) -> dict[Any, int]:
    return {key: len(group) for key, group in _grouped(receiver, lambda item: item).items()}


def _slices(receiver: Any, length: int, step: int, block: Block | None, *, whole: bool) -> Any:
    if length < 1:
        raise RubyError("invalid slice size", "ArgumentError")
    values = items(receiver)
    starts = range(0, max(0, len(values) - length + 1) if whole else len(values), step)
    check_items(len(starts) * min(length, len(values)))
    slices = [values[start : start + length] for start in starts]
    if block is None:
        return slices
    for part in slices:
        block(part)
    return receiver


def _chunked(receiver: list[Any], block: Block, *, splits: bool) -> list[list[Any]]:
    """Split into lists: `slice_when` where the block is true, `chunk_while` where it is false."""
    chunks: list[list[Any]] = []
    for item in receiver:
        if chunks and true(block(chunks[-1][-1], item)) is not splits:
            chunks[-1].append(item)
        else:
            chunks.append([item])
    return chunks


def given_to(receiver: Any, values: list[Any], block: Block | None) -> Any:
    if block is None:
        return values
    for value in values:
        block(value)
    return receiver


def _cycled(receiver: list[Any], times: int | None = None, block: Block | None = None) -> Any:
    if times is None:
        raise Unsupported("cycle without an end")
    check_items(len(receiver) * max(0, times))
    return given_to(None, receiver * max(0, times), block)


def _zipped(receiver: list[Any], *others: list[Any]) -> list[list[Any]]:
    rows = [other.items() if isinstance(other, Range) else other for other in others]
    check_items(len(receiver) * (len(rows) + 1))
    return [[a, *(row[i] if i < len(row) else None for row in rows)] for i, a in enumerate(receiver)]


def to_map(receiver: Any, block: Block | None = None) -> dict[Any, Any]:
    pairs = [item if block is None else block(item) for item in items(receiver)]
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise RubyError("wrong element type (expected array of 2 elements)", "TypeError")
    return {map_key(key): value for key, value in pairs}


def _counted(receiver: list[Any], value: Any = _NOTHING, block: Block | None = None) -> int:
    if value is not _NOTHING:
        return sum(equal(item, value) for item in receiver)
    return len(receiver) if block is None else len(selected(receiver, block))


def index_of(receiver: list[Any], value: Any = _NOTHING, block: Block | None = None) -> int | None:
    found = block if block is not None else lambda item: equal(item, value)
    return next((index for index, item in enumerate(receiver) if true(found(item))), None)


def _with_object(receiver: Any, memo: Any, block: Block) -> Any:
    for item in items(receiver):
        block(item, memo)
    return memo


def _minmax(receiver: Any) -> list[Any]:
    ordered = sort(receiver)
    return [ordered[0], ordered[-1]] if ordered else [None, None]


ITEMS: Final[dict[str, Method]] = {
    "each": each,
    "each_entry": each,
    "each_with_index": _each_with_index,
    "with_index": _with_index,
    "each_with_object": _with_object,
    "with_object": _with_object,
    "each_slice": lambda value, length, block=None: _slices(value, length, length, block, whole=False),
    "each_cons": lambda value, length, block=None: _slices(value, length, 1, block, whole=True),
    "map": _map,
    "collect": _map,
    "flat_map": lambda value, block: flattened([block(item) for item in items(value)], 1),
    "collect_concat": lambda value, block: flattened([block(item) for item in items(value)], 1),
    "filter_map": lambda value, block: [result for item in items(value) if true(result := block(item))],
    "find": _found,
    "detect": _found,
    "find_all": lambda value, block: [item for item in items(value) if true(block(item))],
    "find_index": lambda value, wanted=_NOTHING, block=None: index_of(items(value), wanted, block),
    "any?": _any,
    "all?": _all,
    "none?": lambda value, pattern=_NOTHING, block=None: not _any(value, pattern, block),
    "one?": _one,
    "many?": lambda value, block=None: _counted(items(value), block=block) > 1,
    "reduce": reduced,
    "inject": reduced,
    "sum": _sum,
    "group_by": _grouped,
    "partition": _parted,
    "index_by": lambda value, block: {map_key(block(item)): item for item in items(value)},
    "index_with": lambda value, block: {map_key(item): block(item) for item in items(value)},
    "sort": sort,
    "sort_by": sort_by,
    "min": _extreme(1, by=False),
    "max": _extreme(-1, by=False),
    "min_by": _extreme(1, by=True),
    "max_by": _extreme(-1, by=True),
    "minmax": _minmax,
    "to_a": items,
    "entries": items,
    "first": lambda value, count=None: first(items(value), count),
    "take": lambda value, count: items(value)[: max(0, count)],
    "drop": lambda value, count: items(value)[max(0, count) :],
    "take_while": lambda value, block: list(takewhile(lambda item: true(block(item)), items(value))),
    "drop_while": lambda value, block: list(dropwhile(lambda item: true(block(item)), items(value))),
    "zip": lambda value, *others: _zipped(items(value), *others),
    "grep": _grep,
    "grep_v": lambda value, pattern, block=None: _grep(value, pattern, block, keep=False),
    "reverse_each": lambda value, block=None: each(items(value)[::-1], block),
    "lazy": items,
    "to_set": lambda value: unique(items(value)),
    "tally": lambda value: _tallied(items(value)),
    "uniq": lambda value, block=None: unique(items(value), block),
    "cycle": lambda value, times=None, block=None: _cycled(items(value), times, block),
    "chunk_while": lambda value, block: _chunked(items(value), block, splits=False),
    "slice_when": lambda value, block: _chunked(items(value), block, splits=True),
    "count": lambda value, wanted=_NOTHING, block=None: _counted(items(value), wanted, block),
}
"""The methods that arrays, hashes and ranges share."""
