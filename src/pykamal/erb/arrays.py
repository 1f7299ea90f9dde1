"""The methods of arrays, as a table from name to function. Functions take the receiver first, a block by name."""

from __future__ import annotations

from itertools import combinations, permutations
from math import comb, perm
from typing import Any, Final

from pykamal.erb.budget import check_items
from pykamal.erb.enumerable import (
    ITEMS,
    dig,
    fetch,
    given_to,
    index_of,
    reduced,
    rejected,
    selected,
    to_map,
)
from pykamal.erb.errors import RubyError
from pykamal.erb.indexing import at, common, flattened, join, last, repeated, unique, without
from pykamal.erb.values import Block, Method, blank, equal, shell_escaped, text
from pykamal.erb.word_lists import words


def _product(receiver: list[Any], *others: list[Any]) -> list[list[Any]]:
    result = [[item] for item in receiver]
    for other in others:
        check_items(len(result) * len(other))
        result = [[*one, another] for one in result for another in other]
    return result


def _combined(receiver: list[Any], count: int, block: Block | None = None) -> Any:
    check_items(comb(len(receiver), count) * max(1, count))
    return given_to(receiver, [list(each) for each in combinations(receiver, count)], block)


def _permuted(receiver: list[Any], count: int | None = None, block: Block | None = None) -> Any:
    length = len(receiver) if count is None else count
    check_items(perm(min(len(receiver), 50), min(length, 50)) * max(1, length))
    return given_to(receiver, [list(each) for each in permutations(receiver, length)], block)


def _transposed(receiver: list[list[Any]]) -> list[list[Any]]:
    if any(len(row) != len(receiver[0]) for row in receiver):
        raise RubyError("element size differs", "IndexError")
    return [list(column) for column in zip(*receiver, strict=True)]


# -- changes in place


def _pushed(receiver: list[Any], *values: Any) -> list[Any]:
    check_items(len(receiver) + len(values))
    receiver.extend(values)
    return receiver


def _unshifted(receiver: list[Any], *values: Any) -> list[Any]:
    check_items(len(receiver) + len(values))
    receiver[:0] = values
    return receiver


def _inserted(receiver: list[Any], index: int, *values: Any) -> list[Any]:
    check_items(len(receiver) + len(values))
    place = index if index >= 0 else index + len(receiver) + 1
    receiver[place:place] = values
    return receiver


def _taken(place: int) -> Method:
    """Remove and return items, for `pop` and `shift`."""

    def taken(receiver: list[Any], count: int | None = None) -> Any:
        if count is None:
            return receiver.pop(place) if receiver else None
        part = receiver[max(0, len(receiver) - count) :] if place else receiver[:count]
        receiver[:] = receiver[: max(0, len(receiver) - count)] if place else receiver[count:]
        return part

    return taken


def _deleted(receiver: list[Any], value: Any) -> Any:
    found = any(equal(item, value) for item in receiver)
    receiver[:] = [item for item in receiver if not equal(item, value)]
    return value if found else None


def _deleted_at(receiver: list[Any], index: int) -> Any:
    return receiver.pop(index) if -len(receiver) <= index < len(receiver) else None


def _in_place(name: str, *, nil: bool) -> Method:
    """Return the method with `!`, which changes the list; some return nil when nothing changed."""

    def changed(receiver: list[Any], *arguments: Any, **options: Any) -> Any:
        before = list(receiver)
        receiver[:] = LIST_METHODS[name](receiver, *arguments, **options)
        return None if nil and [id(item) for item in receiver] == [id(item) for item in before] else receiver

    return changed


def _sampled(receiver: list[Any], count: int | None = None) -> Any:
    import random

    if count is not None:
        return random.sample(receiver, min(count, len(receiver)))
    return random.choice(receiver) if receiver else None  # noqa: S311 - as random as Ruby's


def _sentence(receiver: list[Any]) -> str:
    shown = [text(item) for item in receiver]
    if len(shown) < 3:
        return " and ".join(shown)
    return f"{join(shown[:-1], ', ')}, and {shown[-1]}"


def _sole(receiver: list[Any]) -> Any:
    if len(receiver) != 1:
        message = "multiple items found" if receiver else "no item found"
        raise RubyError(message, "Enumerable::SoleItemExpectedError")
    return receiver[0]


_NIL_WITHOUT_CHANGE: Final = words("select filter reject uniq compact flatten")
LIST_METHODS: Final[dict[str, Method]] = {
    **ITEMS,
    "select": selected,
    "filter": selected,
    "reject": rejected,
    "values_at": lambda value, *indexes: [at(value, index) for index in indexes],
    "rotate": lambda value, count=1: value[count % len(value) :] + value[: count % len(value)] if value else [],
    "transpose": _transposed,
    "product": _product,
    "combination": _combined,
    "permutation": _permuted,
    "shelljoin": lambda value: join([shell_escaped(text(item)) for item in value], " "),
    "join": join,
    "last": last,
    "length": len,
    "size": len,
    "empty?": lambda value: not value,
    "include?": lambda value, item: any(equal(item, other) for other in value),
    "member?": lambda value, item: any(equal(item, other) for other in value),
    "exclude?": lambda value, item: not any(equal(item, other) for other in value),
    "compact": lambda value: [item for item in value if item is not None],
    "compact_blank": lambda value: [item for item in value if not blank(item)],
    "flatten": flattened,
    "reverse": lambda value: value[::-1],
    "shuffle": lambda value: _sampled(value, len(value)),
    "sample": _sampled,
    "push": _pushed,
    "append": _pushed,
    "concat": lambda value, *others: _pushed(value, *(item for other in others for item in other)),
    "unshift": _unshifted,
    "prepend": _unshifted,
    "insert": _inserted,
    "pop": _taken(-1),
    "shift": _taken(0),
    "delete": _deleted,
    "delete_at": _deleted_at,
    "delete_if": lambda value, block: _in_place("reject", nil=False)(value, block=block),
    "keep_if": lambda value, block: _in_place("select", nil=False)(value, block=block),
    "clear": lambda value: (value.clear(), value)[1],
    "replace": lambda value, other: (value.__setitem__(slice(None), other), value)[1],
    "index": index_of,
    "rindex": lambda value, item: next((i for i in range(len(value) - 1, -1, -1) if equal(value[i], item)), None),
    "to_h": to_map,
    "assoc": lambda value, key: next((item for item in value if isinstance(item, list) and item[:1] == [key]), None),
    "[]": at,
    "slice": at,
    "at": at,
    "fetch": fetch,
    "dig": dig,
    "*": repeated,
    "without": lambda value, *others: without(value, list(others)),
    "excluding": lambda value, *others: without(value, list(others)),
    "including": lambda value, *others: [*value, *others],
    "difference": lambda value, *others: without(value, [item for other in others for item in other]),
    "union": lambda value, *others: unique([*value, *(item for other in others for item in other)]),
    "intersection": lambda value, *others: reduced([value, *others], block=common),
    "intersect?": lambda value, other: bool(common(value, other)),
    "to_sentence": _sentence,
    "sole": _sole,
    "each_index": lambda value, block=None: given_to(value, list(range(len(value))), block),
}
LIST_METHODS.update(
    {
        f"{name}!": _in_place(name, nil=name in _NIL_WITHOUT_CHANGE)
        for name in (*_NIL_WITHOUT_CHANGE, *words("map collect sort sort_by reverse shuffle rotate"))
    }
)
