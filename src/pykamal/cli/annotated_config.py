"""The reference of deploy.yml as commented YAML, made from the schema that also validates it (spec/cli.md 18.2)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from pykamal.cli.invocation import Invocation
from pykamal.cli.prefix_match import suggestion
from pykamal.config.schema import own_sections, resolved, schema_node
from pykamal.core.errors import UsageError
from pykamal.events import Result

Schema = dict[str, Any]

_WIDTH: Final = 100

_SECTIONS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "accessory": ("accessories/$defs/accessory", ("accessories", "db")),
    "alias": ("aliases", ("aliases",)),
    "boot": ("boot", ("boot",)),
    "builder": ("builder", ("builder",)),
    "configuration": ("", ()),
    "env": ("env", ("env",)),
    "logging": ("logging", ("logging",)),
    "output": ("output", ("output",)),
    "proxy": ("proxy", ("proxy",)),
    "registry": ("registry", ("registry",)),
    "role": ("servers/$defs/role", ("servers", "jobs")),
    "servers": ("servers", ("servers",)),
    "ssh": ("ssh", ("ssh",)),
    "sshkit": ("sshkit", ("sshkit",)),
    "x-pykamal": ("x-pykamal", ("x-pykamal",)),
    **{name: (name, keys) for name, keys in own_sections().items()},
}
"""For each section the place of its schema and the keys under which it stands in deploy.yml."""

NAMES: Final = tuple(_SECTIONS)


def docs(invocation: Invocation) -> int:
    """`kamal docs [SECTION]`."""
    wanted = invocation.arguments[0].lower() if invocation.arguments else "configuration"
    text = reference_text(wanted)
    if text is None:
        near = suggestion(wanted, NAMES)
        raise UsageError(
            f"No documentation found for {invocation.arguments[0]}", hint=near or f"Sections: {', '.join(NAMES)}"
        )
    invocation.bus.emit(Result(text=text))
    return 0


def reference_text(name: str) -> str | None:
    """The settings of a section, each with what it means, its default and an example; None for an unknown name."""
    if name not in _SECTIONS:
        return None
    place, keys = _SECTIONS[name]
    node = _node(place)
    heading = [*_comment(node["title"]), "#"] if "title" in node else []
    lines = [*heading, *_comment(node["description"]), ""]
    indent = ""
    for key in keys:
        lines.append(f"{indent}{key}:")
        indent += "  "
    lines += _content(node, indent, whole=name == "configuration")
    return "\n".join(lines)


def _node(place: str) -> Schema:
    return resolved(schema_node(["$defs", *place.split("/")] if place else []))


def _content(node: Schema, indent: str, *, whole: bool = False) -> Iterator[str]:
    """The settings of a mapping, or the examples of anything else."""
    properties = _properties(node)
    if not properties:
        yield from _examples(node, indent)
        return
    for position, (key, setting) in enumerate(properties.items()):
        if position:
            yield ""
        yield from _setting(key, setting, indent, whole=whole)


def _setting(key: str, node: Schema, indent: str, *, whole: bool) -> Iterator[str]:
    notes = [node.get("description", "")]
    if (default := node.get("default")) not in (None, {}, []):
        notes.append(f"Default: {_inline(default)}.")
    if choices := node.get("enum"):
        notes.append(f"One of {', '.join(str(choice) for choice in choices)}.")
    for line in _comment(" ".join(notes)):
        yield indent + line
    nested = {} if whole else _properties(node)
    if nested:
        yield f"{indent}{key}:"
        for inner, setting in nested.items():
            yield from _setting(inner, setting, indent + "  ", whole=False)
        return
    first, *others = node.get("examples") or [default]
    yield from _dumped({key: first}, indent)
    for other in others:
        for line in _dumped({key: other}, ""):
            yield f"{indent}# {line}"


def _properties(node: Schema) -> dict[str, Schema]:
    """Settings of a mapping. What a reference means is looked up only where the setting itself says nothing."""
    chosen = node.get("properties") or node.get("then", {}).get("properties") or {}
    settings = {key: value if "description" in value else resolved(value) for key, value in chosen.items()}
    return {key: value for key, value in settings.items() if "not" not in value and "description" in value}


def _examples(node: Schema, indent: str) -> Iterator[str]:
    for position, example in enumerate(node.get("examples", ())):
        if position:
            yield f"{indent}# or"
        for line in _dumped(example, ""):
            yield f"{indent}{'# ' if position else ''}{line}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH)]


def _dumped(value: object, indent: str) -> list[str]:
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return [indent + line for line in text.splitlines()]


def _inline(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).splitlines()[0]
