"""Values into YAML in the style of Ruby's Psych, byte for byte (spec/config.md 19.2).

The line layout (folding, block scalars, which quotes a text needs at least) is libyaml's own, reached through PyYAML;
what is decided here is what Psych decides: the style that each text asks for.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from pykamal.config.document import ListNode, MapNode, OtherKey, ScalarNode, local_time
from pykamal.config.scalars import typed
from pykamal.core.ruby import Symbol, ruby_float

_STARTS_UNLIKE_A_WORD: Final = re.compile(r"^[^\w][^\"]*$", re.MULTILINE)
_STRING_TAG: Final = "tag:yaml.org,2002:str"
_NULL_TAG: Final = "tag:yaml.org,2002:null"
_LOOKS_OCTAL: Final = re.compile(r"0[0-7]*[89]")
_DOCUMENT_END: Final = re.compile(r"(?<=[\n\x85\u2028\u2029])\.\.\.\n\Z")
"""libyaml writes it behind a text that ends in empty lines, and Ruby's does not. Texts never start in column one."""

_NULL_MARK: Final = "\ue0f0null\ue0f1"
"""Stands for null while libyaml writes, which since 0.2.5 leaves out the space that Ruby's keeps behind the colon."""


@dataclass(frozen=True, slots=True)
class RubyObject:
    """A mapping that Ruby prints as an object of a class."""

    class_name: str
    fields: Mapping[str, Any]


def dumped(value: Any) -> str:
    """One document, from `---` to the last newline. Takes plain data, Symbols, RubyObjects and nodes of a document."""
    stream = io.StringIO()
    events: list[Event] = [StreamStartEvent(), DocumentStartEvent(explicit=True)]
    events += _events(value)
    events += [DocumentEndEvent(explicit=False), StreamEndEvent()]
    yaml.emit(events, stream, Dumper=_dumper(), allow_unicode=True)
    return _DOCUMENT_END.sub("", stream.getvalue()).replace(_NULL_MARK, "")


def _dumper() -> Any:
    return getattr(yaml, "CDumper", yaml.Dumper)


def _events(value: Any) -> Iterator[Event]:
    match value:
        case ScalarNode(value=inner):
            yield _scalar(inner)
        case MapNode(entries=entries):
            yield from _mapping({key: entry.node for key, entry in entries.items()})
        case ListNode(items=items):
            yield from _sequence(items)
        case RubyObject(class_name=name, fields=fields):
            yield from _mapping(fields, tag=f"!ruby/object:{name}")
        case Mapping():
            yield from _mapping(value)
        case list() | tuple():
            yield from _sequence(value)
        case _:
            yield _scalar(value)


def _mapping(entries: Mapping[Any, Any], tag: str | None = None) -> Iterator[Event]:
    yield MappingStartEvent(None, tag, tag is None, flow_style=False)
    for key, value in entries.items():
        yield _null_key() if _is_null(key) else _scalar(key.value if isinstance(key, OtherKey) else key)
        yield from _events(value)
    yield MappingEndEvent()


def _sequence(items: Sequence[Any]) -> Iterator[Event]:
    yield SequenceStartEvent(None, None, True, flow_style=False)
    for item in items:
        yield from _events(item)
    yield SequenceEndEvent()


def _is_null(key: Any) -> bool:
    return key is None or (isinstance(key, OtherKey) and key.value is None)


def _null_key() -> ScalarEvent:
    return ScalarEvent(None, _NULL_TAG, (True, False), "")


def _scalar(value: Any) -> ScalarEvent:
    match value:
        case None:
            return _plain(_NULL_MARK)
        case bool():
            return _plain("true" if value else "false")
        case int():
            return _plain(str(value))
        case float():
            return _plain(_float(value))
        case Symbol(name=name):
            return _plain(f":{name}")
        case datetime.datetime():
            return _plain(_time(value))
        case datetime.date():
            return _plain(value.isoformat())
        case bytes():
            return _text(value.decode("utf-8", "replace"))
        case _:
            return _text(str(value))


def _text(text: str) -> ScalarEvent:
    implicit = (True, True)
    if "\n" in text.removesuffix("\n").removesuffix("\n"):
        return ScalarEvent(None, None, implicit, text, style="|")
    if text == "<<":
        return ScalarEvent(None, _STRING_TAG, (False, False), text, style="'")
    if text in ("y", "Y", "n", "N") or _STARTS_UNLIKE_A_WORD.search(text):
        return ScalarEvent(None, None, implicit, text, style='"')
    if not isinstance(typed(text), str) or _LOOKS_OCTAL.match(text):
        return ScalarEvent(None, None, implicit, text, style="'")
    return ScalarEvent(None, None, implicit, text)


def _plain(text: str) -> ScalarEvent:
    return ScalarEvent(None, None, (True, False), text)


def _float(value: float) -> str:
    return {"Infinity": ".inf", "-Infinity": "-.inf", "NaN": ".nan"}.get(text := ruby_float(value), text)


def _time(value: datetime.datetime) -> str:
    moment = local_time(value)
    offset = f"{moment:%z}"
    zone = "Z" if moment.tzinfo is datetime.UTC else f"{offset[:3]}:{offset[3:]}"
    return f"{moment.date()} {moment:%H:%M:%S}.{value.microsecond * 1000:09} {zone}"
