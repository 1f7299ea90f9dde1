"""The schema is complete, describes every key, and agrees with itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from pykamal.config.schema import bundle, own_sections, resolved, section, section_files

pytestmark = pytest.mark.unit

_ANNOTATIONS = {
    "x-expected",
    "x-message",
    "x-pattern-message",
    "x-count-message",
    "x-at-parent",
    "x-blank-passes",
    "x-own",
}


def _keys(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a schema, with a readable path."""
    for name, value in schema.items():
        if name == "properties" and not path.endswith("/if"):
            yield from ((f"{path}/{key}", node) for key, node in value.items() if isinstance(node, dict))
        if isinstance(value, dict):
            yield from _keys(value, f"{path}/{name}")


_ALL_KEYS = [key for name in section_files() for key in _keys(section(name), name)]


@pytest.mark.parametrize(("path", "node"), _ALL_KEYS, ids=[path for path, _ in _ALL_KEYS])
def test_every_key_is_described(path: str, node: dict[str, Any]) -> None:
    """Each key has a type, a description that is a sentence, and an example that is valid for it."""
    if "else/properties" in path or "then/properties" in path:
        assert "$ref" in node or "description" in node
        return
    node = {**node}
    name = path.partition("/")[0]
    if "#/" in (reference := node.get("$ref", "")) and reference.startswith("#"):
        node = {**_within(section(name), reference), **{k: v for k, v in node.items() if k != "$ref"}}
    assert node["description"].endswith((".", '"')), path
    if "not" in node:
        return
    assert node["examples"], path


def _within(schema: dict[str, Any], reference: str) -> dict[str, Any]:
    node: Any = schema
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return dict(node)


def test_bundle_is_a_valid_schema() -> None:
    """The whole is JSON Schema 2020-12 and every reference resolves inside it."""
    assert bundle()["$schema"].endswith("2020-12/schema")
    jsonschema_rs.meta.validate(bundle())
    for node in _dictionaries(bundle()):
        if "$ref" in node:
            assert resolved(node)


@pytest.mark.parametrize("key", [key for key in section("deploy")["properties"] if key != "run_directory"])
def test_examples_are_valid(key: str) -> None:
    """The examples of the root's keys pass the schema themselves."""
    validator = jsonschema_rs.Draft202012Validator(bundle())
    for example in section("deploy")["properties"][key]["examples"]:
        assert [error.message for error in validator.iter_errors({key: example})] == []


def test_only_known_annotations() -> None:
    """Our own keywords are those that the package names."""
    names = {name for node in _dictionaries(bundle()) for name in node if name.startswith("x-")}
    assert names - {"x-pykamal", *own_sections()} == _ANNOTATIONS


def _dictionaries(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _dictionaries(value)
    elif isinstance(node, list):
        for value in node:
            yield from _dictionaries(value)
