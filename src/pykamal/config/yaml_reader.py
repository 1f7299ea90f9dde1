"""YAML text into nodes as Ruby's Psych reads it, never making an object from a tag (spec/config.md 1.4)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.parser import Parser, ParserError
from yaml.reader import Reader
from yaml.scanner import Scanner

from pykamal.config.document import Entry, Key, ListNode, MapNode, Node, OtherKey, ScalarNode, Value, ruby_text
from pykamal.config.scalars import typed
from pykamal.core.catalogue.files import (
    FILE_TOO_LARGE,
    INVALID_ENCODING,
    NUL_BYTE,
    YAML_ALIAS,
    YAML_KEY,
    YAML_SYNTAX,
    YAML_TAG,
)
from pykamal.core.catalogue.settings import AMBIGUOUS_NUMBER, DUPLICATE_KEY, WRONG_TYPE
from pykamal.core.diagnostics import Diagnostic, Location, Rule
from pykamal.core.errors import ConfigurationError, configuration_error
from pykamal.core.ruby import Symbol
from pykamal.core.source import Position
from pykamal.erb.rendered import Rendered

MAXIMUM_FILE_BYTES: Final = 1024 * 1024
"""Of a file, and of the text that its template renders to."""

MAXIMUM_DEPTH: Final = 60
"""Mappings and lists inside each other."""

MAXIMUM_NODES: Final = 50_000
"""Keys, values and containers, aliases expanded."""

_YAML_TAG: Final = "tag:yaml.org,2002:"
_OBJECT_TAGS: Final = ("!ruby/", f"{_YAML_TAG}ruby/", f"{_YAML_TAG}python/", "!python/")
_SYMBOL_TAGS: Final = ("!ruby/symbol", "!ruby/sym")


def read_yaml(rendered: Rendered) -> tuple[Node | None, list[Diagnostic]]:
    """The first document's root, None when there is none, and warnings about what was read in an unexpected way.

    Raises ConfigurationError for text that is no YAML, that goes beyond a limit, or that asks for objects by tag.
    """
    _check_encoding(rendered)
    composer = _Composer(rendered)
    try:
        try:
            return composer.document(), composer.warnings
        finally:
            composer.finish()  # a syntax error further down is told first, as by Psych, which parses before it builds
    except YAMLError as error:
        raise _syntax_error(error, rendered) from None


class _Composer:
    def __init__(self, rendered: Rendered) -> None:
        self.warnings: list[Diagnostic] = []
        self._rendered = rendered
        self._parser = _parser(rendered.text)
        self._anchors: dict[str, Node | None] = {}
        self._count = 0
        self._ended = False

    def document(self) -> Node | None:
        while True:
            event = self._next()
            if self._ended:
                return None
            if isinstance(event, (ScalarEvent, SequenceStartEvent, MappingStartEvent, AliasEvent)):
                return self._node(event, 1)

    def finish(self) -> None:
        """Read to the end of the document. Raises YAMLError."""
        while not self._ended:
            self._next()

    def _next(self) -> Any:
        try:
            event = self._parser.get_event()
        except YAMLError:
            self._ended = True
            raise
        self._ended = event is None or isinstance(event, DocumentEndEvent)
        return event

    def _position(self, event: Any) -> Position:
        return self._rendered.position(event.start_mark.line, event.start_mark.column)

    def _node(self, event: Any, depth: int) -> Node:
        self._count += 1
        position = self._position(event)
        if depth > MAXIMUM_DEPTH:
            raise self._too_much(f"mappings and lists are nested deeper than {MAXIMUM_DEPTH} levels", position)
        self._check_count(self._count, position)
        if isinstance(event, AliasEvent):
            return self._aliased(str(event.anchor), position)
        anchor = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        node: Node
        if isinstance(event, ScalarEvent):
            node = self._scalar(event, position)
        elif isinstance(event, SequenceStartEvent):
            self._check_container_tag(event.tag, position)
            node = self._list(position, depth)
        else:
            self._check_container_tag(event.tag, position)
            node = self._map(position, depth)
        self._check_count(node.size, position)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _check_count(self, count: int, position: Position) -> None:
        if count > MAXIMUM_NODES:
            raise self._too_much(f"more than {MAXIMUM_NODES} keys and values, aliases expanded", position)

    def _aliased(self, anchor: str, position: Position) -> Node:
        if anchor not in self._anchors:
            raise self._error(
                YAML_ALIAS,
                f"An alias referenced an unknown anchor: {anchor}",
                position,
                label="Psych::AnchorNotDefined",
                hint="Anchors must stand before their aliases, in the same file.",
            )
        node = self._anchors[anchor]
        if node is None:
            raise self._error(YAML_ALIAS, f"the anchor {anchor} contains itself", position)
        return node

    def _list(self, position: Position, depth: int) -> ListNode:
        items: list[Node] = []
        size = 1
        while not isinstance(event := self._next(), SequenceEndEvent):
            item = self._node(event, depth + 1)
            size += item.size
            self._check_count(size, position)
            items.append(item)
        return ListNode(items, position, size)

    def _map(self, position: Position, depth: int) -> MapNode:
        entries: dict[Key, Entry] = {}
        written: set[Key] = set()
        size = 1
        while not isinstance(event := self._next(), MappingEndEvent):
            key_node = self._node(event, depth + 1)
            key = self._key(key_node)
            value_event = self._next()
            node = self._node(value_event, depth + 1)
            entry = Entry(key_node.position, node)
            to_merge = _mappings_to_merge(node, isinstance(value_event, AliasEvent)) if key == "<<" else None
            if to_merge is not None:
                for mapping in to_merge:
                    size += mapping.size
                    entries.update(mapping.entries)
            else:
                if key in written:
                    message = f"{key} is written twice; the last one counts"
                    self.warnings.append(DUPLICATE_KEY.diagnostic(message, Location(key_node.position)))
                written.add(key)
                size += 1 + node.size
                entries[key] = entry
            self._check_count(size, position)
        return MapNode(entries, position, size)

    def _key(self, node: Node) -> Key:
        if not isinstance(node, ScalarNode):
            raise self._error(YAML_KEY, "a key must be a plain value, not a list or a mapping", node.position)
        return node.value if isinstance(node.value, str) else OtherKey.of(node.value)

    def _scalar(self, event: Any, position: Position) -> ScalarNode:
        plain = not event.style
        tag = event.tag
        if "\0" in event.value:
            raise self._error(NUL_BYTE, "a NUL byte, which no command and no environment variable can carry", position)
        if tag is not None and tag.startswith(_OBJECT_TAGS) and tag not in _SYMBOL_TAGS:
            raise self._object_tag(tag, position)
        try:
            value = _tagged(event.value, tag, plain)
        except ValueError:
            label, message = _no_float(typed(event.value))
            raise self._error(WRONG_TYPE, message, position, label=label) from None
        if plain and isinstance(value, (int, float)) and not isinstance(value, bool):
            self._warn_of_surprise(event.value, value, position)
        return ScalarNode(value, position, event.value, plain)

    def _warn_of_surprise(self, text: str, value: int | float, position: Position) -> None:
        if ":" in text or "," in text:
            number = ruby_text(value)
            message = f"YAML reads {text} as the number {number}; write '{text}' to keep the text"
            self.warnings.append(AMBIGUOUS_NUMBER.diagnostic(message, Location(position)))

    def _check_container_tag(self, tag: str | None, position: Position) -> None:
        if tag is not None and tag.startswith(_OBJECT_TAGS):
            raise self._object_tag(tag, position)

    def _object_tag(self, tag: str, position: Position) -> ConfigurationError:
        return self._error(YAML_TAG, f"the tag {tag} asks for an object, which is never made from YAML", position)

    def _too_much(self, message: str, position: Position) -> ConfigurationError:
        self._ended = True  # what stands behind it is not looked at any more
        return self._error(FILE_TOO_LARGE, message, position)

    def _error(
        self, rule: Rule, message: str, position: Position, *, label: str | None = None, hint: str | None = None
    ) -> ConfigurationError:
        location = Location.in_text(position, self._rendered.source)
        return configuration_error(rule, message, location, label=label, hint=hint)


def _mappings_to_merge(node: Node, aliased: bool) -> list[MapNode] | None:
    """The mappings of a `<<`, in the order to lay them down; None when it is an ordinary key."""
    if isinstance(node, MapNode):
        return [node]
    if isinstance(node, ListNode) and not aliased:
        mappings = [item for item in reversed(node.items) if isinstance(item, MapNode)]
        if len(mappings) == len(node.items):
            return [_united(mappings)]
    return None


def _united(mappings: list[MapNode]) -> MapNode:
    entries: dict[Key, Entry] = {}
    for mapping in mappings:
        entries.update(mapping.entries)
    size = 1 + sum(1 + entry.node.size for entry in entries.values())
    return MapNode(entries, mappings[0].position if mappings else Position(""), size)


def _tagged(text: str, tag: str | None, plain: bool) -> Value:
    """Raises ValueError for what is tagged as a float and is none."""
    match tag and tag.removeprefix(_YAML_TAG):
        case "str" | "!str":
            return text
        case "binary" | "!binary":
            try:
                return base64.b64decode(text, validate=False).decode("utf-8", "replace")
            except (binascii.Error, ValueError):
                return text
        case "float" | "!float":
            number = typed(text)
            if isinstance(number, bool) or not isinstance(number, str | int | float):
                raise ValueError(text)
            return float(number)
        case "!ruby/symbol" | "!ruby/sym":
            return Symbol(text)
        case "int" | "bool" | "null" | "!":
            return typed(text)
        case None:
            return typed(text) if plain else text
        case _:
            return typed(text)


def _no_float(value: Value) -> tuple[str, str]:
    """The class and the message of Ruby's own refusal."""
    match value:
        case str():
            return "ArgumentError", f"invalid value for Float(): {json.dumps(value, ensure_ascii=False)}"
        case None:
            name = "nil"
        case bool():
            name = ruby_text(value)
        case _:
            name = type(value).__name__.capitalize()
    return "TypeError", f"can't convert {name} into Float"


def _parser(text: str) -> Any:
    try:
        from yaml import _yaml as libyaml
    except ImportError:
        return _PurePythonParser(text)
    return libyaml.CParser(text)


def _check_encoding(rendered: Rendered) -> None:
    try:
        rendered.text.encode()
    except UnicodeEncodeError as error:
        line = rendered.text.count("\n", 0, error.start)
        column = error.start - (rendered.text.rfind("\n", 0, error.start) + 1)
        raise configuration_error(
            INVALID_ENCODING,
            f"(<unknown>): invalid leading UTF-8 octet at line {line + 1} column {column + 1}",
            Location.in_text(rendered.position(line, column), rendered.source),
            label="Psych::SyntaxError",
            hint="the template uses an environment variable there that is not UTF-8",
        ) from None


def _syntax_error(error: YAMLError, rendered: Rendered) -> ConfigurationError:
    """The message has Psych's form, whose line and column are those of the construct that was being read."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        problem = str(error).split(": ")[-1].split("\n")[0]
        message = f"(<unknown>): {problem} at line 1 column 1"
        return configuration_error(YAML_SYNTAX, message, label="Psych::SyntaxError")
    mark = error.context_mark or error.problem_mark
    line, column = mark.line + 1, mark.column + 1
    if error.context_mark is None and isinstance(error, ParserError):
        line = column = 1
    problem = " ".join(filter(None, (error.problem, error.context)))
    problem = problem.replace("that violates indentation", "that violate indentation")  # Psych's older libyaml
    position = rendered.position(error.problem_mark.line, error.problem_mark.column)
    return configuration_error(
        YAML_SYNTAX,
        f"(<unknown>): {problem} at line {line} column {column}",
        Location.in_text(position, rendered.source),
        label="Psych::SyntaxError",
        hint="look there and just before it for an open bracket or quote, a tab, or wrong indentation",
    )


class _PurePythonParser(Reader, Scanner, Parser):
    """Events of a text, as `yaml.cyaml.CParser` gives them, for installations of PyYAML without libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
