"""A YAML document as a tree of nodes that know where they were written."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pykamal.core.diagnostics import Diagnostic
from pykamal.core.ruby import Symbol, ruby_float
from pykamal.core.source import Position

Value: TypeAlias = str | int | float | bool | bytes | Symbol | datetime.date | datetime.datetime | None


@dataclass(frozen=True, slots=True)
class OtherKey:
    """A mapping key that is no string (`5`, `off`, `:name`, a date), kept apart from the string that looks alike."""

    kind: str
    value: Value

    @classmethod
    def of(cls, value: Value) -> OtherKey:
        return cls(type(value).__name__, value)

    def __str__(self) -> str:
        return ruby_text(self.value)


Key: TypeAlias = str | OtherKey


@dataclass(slots=True)
class ScalarNode:
    """`text` is the scalar as written, before typing; `plain` tells an unquoted one."""

    value: Value
    position: Position
    text: str = ""
    plain: bool = True
    size: int = 1


@dataclass(slots=True)
class ListNode:
    items: list[Node]
    position: Position
    size: int = 1


@dataclass(slots=True)
class Entry:
    """One `key: value` of a mapping."""

    key_position: Position
    node: Node


@dataclass(slots=True)
class MapNode:
    """`size` of each node counts the nodes it holds after alias expansion."""

    entries: dict[Key, Entry]
    position: Position
    size: int = 1
    _named: dict[str, tuple[int, Entry]] | None = field(default=None, init=False, repr=False, compare=False)

    def named(self) -> dict[str, tuple[int, Entry]]:
        """Places and entries by the name that stands in paths: `:name` for a symbol, the text of any other key."""
        if self._named is None:
            self._named = {path_name(key): (index, entry) for index, (key, entry) in enumerate(self.entries.items())}
        return self._named

    def get(self, key: Key) -> Node | None:
        entry = self.entries.get(key)
        return None if entry is None else entry.node

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys as text, with their nodes, in file order."""
        return ((str(key), entry.node) for key, entry in self.entries.items())


Node: TypeAlias = ScalarNode | ListNode | MapNode


@dataclass(frozen=True, slots=True)
class Document:
    """A whole file after templating: `root` is a mapping; `lines` are the source lines by file name, for quoting."""

    root: MapNode
    lines: dict[str, list[str]] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()
    loaded_environment: dict[str, str] = field(default_factory=dict)


def path_name(key: Key) -> str:
    """A key in a path. A symbol keeps its colon, so that it is not taken for the key of that name."""
    if isinstance(key, OtherKey) and isinstance(key.value, Symbol):
        return f":{key.value.name}"
    return str(key)


def plain_value(node: Node) -> Any:
    """The node as plain Python data: keys as text, symbols and dates as text."""
    match node:
        case MapNode():
            return {key: plain_value(child) for key, child in node.items()}
        case ListNode():
            return [plain_value(child) for child in node.items]
        case ScalarNode(value=Symbol() | datetime.date() as value):
            return str(value)
        case ScalarNode(value=bytes() as value):
            return value.decode("utf-8", "replace")
        case ScalarNode(value=value):
            return value


def ruby_text(value: Value) -> str:
    """Return the text that Ruby's `to_s` makes of a value, as flags and messages have it."""
    match value:
        case None:
            return ""
        case True:
            return "true"
        case False:
            return "false"
        case float():
            return ruby_float(value)
        case bytes():
            return value.decode("utf-8", "replace")
        case datetime.datetime():
            moment = local_time(value)
            zone = "UTC" if moment.tzinfo is datetime.UTC else f"{moment:%z}"
            return f"{moment.date()} {moment:%H:%M:%S} {zone}"
        case _:
            return str(value)


def local_time(value: datetime.datetime) -> datetime.datetime:
    """A time without a zone is UTC, and is shown in the zone of this machine."""
    return value if value.tzinfo is not None else value.replace(tzinfo=datetime.UTC).astimezone()


def merged(base: MapNode, over: MapNode) -> MapNode:
    """Mappings merge key by key; anything else replaces. Keys of the base keep their place, new ones follow."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        present = entries.get(key)
        if present is not None and isinstance(present.node, MapNode) and isinstance(entry.node, MapNode):
            entries[key] = Entry(present.key_position, merged(present.node, entry.node))
        else:
            entries[key] = entry
    size = 1 + sum(1 + entry.node.size for entry in entries.values())
    return MapNode(entries, base.position, size)
