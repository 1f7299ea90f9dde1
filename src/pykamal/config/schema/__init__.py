"""The JSON Schema of deploy.yml: one file a section, the single source for validation, `kamal docs` and editors.

Besides the standard keywords the files use annotations of ours: `x-expected` (the type's name in messages),
`x-message` and `x-pattern-message` (the message itself; `{value}` is replaced), `x-count-message` (too many or too few
keys), `x-at-parent` (how many levels up the key path the message is reported), `x-blank-passes` (emptiness is for a
rule to judge) and `x-own` (Ruby Kamal has no such pattern).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).parent
_NAMED: Final = ("properties", "patternProperties", "$defs")
_OWN: Final = "x-pykamal"


@cache
def section_files() -> tuple[str, ...]:
    """The names of the schema files."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


@cache
def own_sections() -> dict[str, tuple[str, ...]]:
    """The sections below `x-pykamal` that have a file of their own, each with its keys in deploy.yml."""
    return {name: (_OWN, name.removeprefix(f"{_OWN}-")) for name in section_files() if name.startswith(f"{_OWN}-")}


@cache
def section(name: str) -> dict[str, Any]:
    """The schema file of one section, as it is written."""
    schema: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return schema


@cache
def bundle() -> dict[str, Any]:
    """One schema for the whole of deploy.yml, with every reference inside the document itself."""
    sections = {name: _with_local_references(section(name), name) for name in section_files() if name != "deploy"}
    for schema in sections.values():
        schema.pop("$schema", None)
    return {**_with_local_references(section("deploy"), ""), "$defs": sections}


def editor_schema() -> dict[str, Any]:
    """The bundle in standard keywords only, for the language servers of editors."""
    schema: dict[str, Any] = _standard(bundle())
    return schema


def schema_node(path: Sequence[str | int]) -> Any:
    """The part of the bundle at a path, such as an error of the validator gives."""
    node: Any = bundle()
    for step in path:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """A part of the bundle with its own reference followed; its own keywords win over the target's."""
    while "$ref" in node:
        target = schema_node(node["$ref"].removeprefix("#/").split("/"))
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _standard(node: Any, *, names: bool = False) -> Any:
    """`names` tells that the keys of this mapping are keys of deploy.yml or names of definitions, not keywords."""
    if isinstance(node, list):
        return [_standard(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value if key in ("examples", "default") else _standard(value, names=key in _NAMED and not names)
        for key, value in node.items()
        if names or not key.startswith("x-")
    }


def _with_local_references(node: Any, name: str) -> Any:
    if isinstance(node, list):
        return [_with_local_references(item, name) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _local_reference(value, name) if key == "$ref" else _with_local_references(value, name)
        for key, value in node.items()
    }


def _local_reference(reference: str, name: str) -> str:
    file, _, pointer = reference.partition("#")
    target = file.removesuffix(".json") or name
    return f"#/$defs/{target}{pointer}"
