"""The methods of ENV, which templates read, change and iterate like a hash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pykamal.erb.errors import RubyError
from pykamal.erb.hashes import MAP_METHODS
from pykamal.erb.values import Block, RubyString, in_message, inspected
from pykamal.erb.word_lists import words

READING: Final = frozenset(MAP_METHODS) - {
    *(name for name in MAP_METHODS if name.endswith("!")),
    *["clear", "delete", "delete_if", "keep_if", "store", "update", "fetch", "[]", "to_hash"],
    *words("transform_keys transform_values stringify_keys symbolize_keys deep_stringify_keys deep_symbolize_keys"),
    *["merge", "deep_merge", "dig", "fetch_values", "assert_valid_keys", "compact_blank", "to_query"],
}
"""The read-only methods of hashes, which ENV has too."""


def functions(environment: dict[str, str]) -> dict[str, Callable[..., Any]]:
    """Return the methods of ENV over these variables."""

    def fetched(name: Any, *default: Any, block: Block | None = None) -> Any:
        if _name_of(name) in environment:
            return _frozen(environment[name])
        if block is not None:
            return block(name)
        if default:
            return default[0]
        raise RubyError(f"key not found: {inspected(name)}", "KeyError")

    def updated(*others: Any) -> dict[str, str]:
        for other in others:
            for name, value in other.items():
                set_variable(environment, name, value)
        return environment

    def stored(name: Any, value: Any) -> Any:
        set_variable(environment, name, value)
        return value

    return {
        **{name: _reading(name, environment) for name in READING},
        "[]": lambda name: _frozen(environment.get(_name_of(name))),
        "fetch": fetched,
        "store": stored,
        "[]=": stored,
        "update": updated,
        "merge!": updated,
        "delete": lambda name: environment.pop(_name_of(name), None),
        "to_h": lambda block=None: MAP_METHODS["to_h"](dict(environment), block),
        "to_hash": lambda: dict(environment),
    }


def _name_of(value: Any) -> str:
    if not isinstance(value, str):
        raise RubyError(f"no implicit conversion of {in_message(value)} into String", "TypeError")
    return value


def _frozen(value: str | None) -> RubyString | None:
    if value is None:
        return None
    owned = RubyString(value)
    owned.frozen = True
    return owned


def _reading(name: str, environment: dict[str, str]) -> Callable[..., Any]:
    return lambda *arguments, **given: MAP_METHODS[name](dict(environment), *arguments, **given)


def set_variable(environment: dict[str, str], name: Any, value: Any) -> None:
    for each in (name, value):
        if not (isinstance(each, str) or (each is None and each is value)):
            raise RubyError(f"no implicit conversion of {in_message(each)} into String", "TypeError")
    if value is None:
        environment.pop(name, None)
    else:
        environment[str(name)] = str(value)
