"""Type checks for values of the state file: a wrong type is found before it is used."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

_LARGEST = 2**63
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_text(value: object) -> bool:
    """Half of a surrogate pair is none: neither nginx nor a log line could hold it."""
    return isinstance(value, str) and (value.isascii() or not _SURROGATE.search(value))


def is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value < _LARGEST


def is_number(value: object) -> bool:
    return is_whole(value) or isinstance(value, float)


def are_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(is_text(item) for item in value)


_FITTING: dict[str, Callable[[object], bool]] = {
    "str": is_text,
    "bool": lambda value: isinstance(value, bool),
    "int": is_whole,
    "tuple[str, ...]": are_texts,
}
"""By the annotation of a dataclass's field."""


def section(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A record within a record, empty where it is missing or null. Raises TypeError."""
    value = record.get(name)
    require(value is None or isinstance(value, Mapping), name, value)
    return value or {}


def known_fields(record: Mapping[str, Any], model: type) -> dict[str, Any]:
    """Return the fields of a dataclass that a record has: null counts as missing, lists become tuples.

    Raises TypeError for a value that does not have its field's type.
    """
    found: dict[str, Any] = {}
    for name, fits in _plain_fields(model):
        value = record.get(name)
        if value is not None:
            require(fits(value), name, value)
            found[name] = tuple(value) if isinstance(value, list) else value
    return found


@functools.cache
def _plain_fields(model: type) -> list[tuple[str, Callable[[object], bool]]]:
    return [(field.name, _FITTING[str(field.type)]) for field in fields(model) if str(field.type) in _FITTING]


def require(fits: bool, name: str, value: object) -> None:
    """Raises TypeError, naming the value, unless it fits."""
    if not fits:
        raise TypeError(f"{name} cannot be {value!r}")
