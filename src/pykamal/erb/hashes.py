"""The methods of hashes, as a table from name to function. Functions take the receiver first, a block by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.budget import check_items
from pykamal.erb.enumerable import ITEMS, dig, fetch, holds, items, map_key, rejected, selected, sort, to_map
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.values import Block, Method, blank, equal, inspected, text
from pykamal.erb.word_lists import words


class DefaultMap(dict[Any, Any]):
    """A hash with a default: `Hash.new(0)` and `Hash.new { |map, key| ... }`."""

    def __init__(self, default: Any = None, block: Block | None = None) -> None:
        super().__init__()
        self.default = default
        self.block = block


def _get(receiver: dict[Any, Any], key: Any) -> Any:
    if holds(receiver, key):
        return receiver[key]
    if not isinstance(receiver, DefaultMap):
        return None
    return receiver.default if receiver.block is None else receiver.block(receiver, key)


def store(receiver: dict[Any, Any], key: Any, value: Any) -> Any:
    """Store a value. Raises Unsupported for a key whose equality differs between Python and Ruby."""
    kept = map_key(key)
    if kept in receiver and not holds(receiver, kept):
        raise Unsupported("true or false as a key beside 1 or 0")
    check_items(len(receiver) + 1)
    receiver[kept] = value
    return value


def _merged(receiver: dict[Any, Any], *others: dict[Any, Any], block: Block | None = None) -> dict[Any, Any]:
    result = dict(receiver)
    for other in others:
        for key, value in other.items():
            both = block is not None and key in result
            result[key] = block(key, result[key], value) if both and block is not None else value
    return result


def _deep_merged(receiver: dict[Any, Any], other: dict[Any, Any], block: Block | None = None) -> dict[Any, Any]:
    result = dict(receiver)
    for key, value in other.items():
        mine = result.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            result[key] = _deep_merged(mine, value, block)
        else:
            result[key] = block(key, mine, value) if block is not None and key in result else value
    return result


def _with_keys(receiver: dict[Any, Any], convert: Callable[[Any], Any]) -> dict[Any, Any]:
    return {map_key(convert(key)): item for key, item in receiver.items()}


def _deep_keys(value: Any, convert: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {map_key(convert(key)): _deep_keys(item, convert) for key, item in value.items()}
    return [_deep_keys(item, convert) for item in value] if isinstance(value, list) else value


def _symbol(key: Any) -> Any:
    return Symbol(key) if isinstance(key, str) else key


def _each_pair(receiver: dict[Any, Any], block: Block | None = None) -> Any:
    if block is None:
        return items(receiver)
    for pair in items(receiver):
        block(pair)
    return receiver


def _each_part(values: Callable[[dict[Any, Any]], Any]) -> Method:
    def each(receiver: dict[Any, Any], block: Block | None = None) -> Any:
        if block is None:
            return list(values(receiver))
        for value in list(values(receiver)):
            block(value)
        return receiver

    return each


def _transformed_keys(receiver: dict[Any, Any], names: Any = None, block: Block | None = None) -> dict[Any, Any]:
    given = names if isinstance(names, dict) else {}
    return _with_keys(receiver, lambda key: given[key] if key in given else key if block is None else block(key))


def _fetched(receiver: dict[Any, Any], *keys: Any) -> list[Any]:
    return [fetch(receiver, key) for key in keys]


def _counted(receiver: dict[Any, Any], block: Block | None = None) -> int:
    return len(receiver) if block is None else len(selected(receiver, block))


def _in_place(name: str) -> Method:
    """Return the method with `!`, which changes the hash."""

    def changed(receiver: dict[Any, Any], *arguments: Any, **options: Any) -> Any:
        after = MAP_METHODS[name](receiver, *arguments, **options)
        receiver.clear()
        receiver.update(after)
        return receiver

    return changed


def _deleted(receiver: dict[Any, Any], key: Any, block: Block | None = None) -> Any:
    if key in receiver or block is None:
        return receiver.pop(key, None)
    return block(key)


def _inverted(receiver: dict[Any, Any]) -> dict[Any, Any]:
    return {map_key(item): key for key, item in receiver.items()}


def _query(receiver: dict[Any, Any]) -> str:
    from urllib.parse import quote_plus

    if any(isinstance(item, list | dict) for item in receiver.values()):
        raise Unsupported("to_query of lists and maps inside each other")
    return "&".join(sorted(f"{quote_plus(text(key))}={quote_plus(text(item))}" for key, item in receiver.items()))


def _converted(receiver: dict[Any, Any], block: Block | None = None) -> dict[Any, Any]:
    return receiver if block is None else to_map([block(key, item) for key, item in receiver.items()])


def _valid_keys(receiver: dict[Any, Any], *keys: Any) -> dict[Any, Any]:
    for key in receiver:
        if key not in keys:
            allowed = ", ".join(inspected(each) for each in keys)
            raise RubyError(f"Unknown key: {inspected(key)}. Valid keys are: {allowed}", "ArgumentError")
    return receiver


MAP_METHODS: Final[dict[str, Method]] = {
    **ITEMS,
    "each": _each_pair,
    "each_pair": _each_pair,
    "each_key": _each_part(dict.keys),
    "each_value": _each_part(dict.values),
    "[]": _get,
    "store": store,
    "fetch": fetch,
    "fetch_values": _fetched,
    "dig": dig,
    "key?": holds,
    "has_key?": holds,
    "include?": holds,
    "member?": holds,
    "exclude?": lambda value, key: not holds(value, key),
    "value?": lambda value, wanted: any(equal(item, wanted) for item in value.values()),
    "has_value?": lambda value, wanted: any(equal(item, wanted) for item in value.values()),
    "keys": lambda value: list(value.keys()),
    "values": lambda value: list(value.values()),
    "values_at": lambda value, *keys: [value.get(key) for key in keys],
    "key": lambda value, wanted: next((key for key, item in value.items() if equal(item, wanted)), None),
    "select": selected,
    "filter": selected,
    "reject": rejected,
    "sort": sort,
    "compact": lambda value: {key: item for key, item in value.items() if item is not None},
    "compact_blank": lambda value: {key: item for key, item in value.items() if not blank(item)},
    "invert": _inverted,
    "transform_keys": _transformed_keys,
    "transform_values": lambda value, block: {key: block(item) for key, item in value.items()},
    "stringify_keys": lambda value: _with_keys(value, text),
    "symbolize_keys": lambda value: _with_keys(value, _symbol),
    "deep_stringify_keys": lambda value: _deep_keys(value, text),
    "deep_symbolize_keys": lambda value: _deep_keys(value, _symbol),
    "assert_valid_keys": _valid_keys,
    "delete": _deleted,
    "clear": lambda value: (value.clear(), value)[1],
    "empty?": lambda value: not value,
    "length": len,
    "size": len,
    "count": _counted,
    "merge": _merged,
    "deep_merge": _deep_merged,
    "slice": lambda value, *keys: {key: value[key] for key in keys if key in value},
    "except": lambda value, *keys: {key: item for key, item in value.items() if key not in keys},
    "without": lambda value, *keys: {key: item for key, item in value.items() if key not in keys},
    "to_h": _converted,
    "to_hash": _converted,
    "to_query": _query,
    "delete_if": lambda value, block: _in_place("reject")(value, block=block),
    "keep_if": lambda value, block: _in_place("select")(value, block=block),
}
_WITH_BANG: Final = words(
    "select filter reject compact transform_keys transform_values stringify_keys symbolize_keys merge deep_merge "
    "deep_stringify_keys deep_symbolize_keys except"
)
MAP_METHODS.update({f"{name}!": _in_place(name) for name in _WITH_BANG})
MAP_METHODS["update"] = _in_place("merge")
