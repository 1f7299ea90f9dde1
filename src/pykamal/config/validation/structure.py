"""The violations that the schema finds, in this tool's wording (spec/config.md 2.1 to 2.3)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from pykamal.config.document import ListNode, MapNode, Node, ScalarNode, path_name
from pykamal.config.node_reading import blank, text, truthy
from pykamal.config.schema import bundle, resolved, schema_node
from pykamal.config.validation.ruby_precedence import OWN_STAGE
from pykamal.config.validation.violation import KeyPath, Phase, Violation, described
from pykamal.core.catalogue.settings import (
    INVALID_NAME,
    INVALID_VALUE,
    KAMAL_1_KEY,
    MISPLACED_KEY,
    UNKNOWN_KEY,
    WRONG_TYPE,
)
from pykamal.core.diagnostic_report import MOST_SHOWN
from pykamal.core.ruby import Symbol
from pykamal.core.source import Position
from pykamal.core.spelling import nearest

_TYPE_WORDS: Final = {
    "array": "an array",
    "boolean": "a boolean",
    "integer": "an integer",
    "object": "a hash",
    "string": "a string",
}
_KEYWORD_ORDER: Final = ("type", "not", "const", "enum", "pattern", "minProperties", "maxProperties", "maxItems")
_RULES: Final = {"type": WRONG_TYPE, "const": WRONG_TYPE, "maxItems": WRONG_TYPE, "not": MISPLACED_KEY}
"""Rules by the keyword of the schema that is not met; `invalid-value` for any other."""

_PHASES: Final = {"type": Phase.TYPE, "minProperties": Phase.UNKNOWN_KEYS, "maxProperties": Phase.UNKNOWN_KEYS}
_EMPTY_KEY: Final = "\ue0f2"
"""Stands for an empty key: the validator leaves such keys out of its paths."""

_MOST_ERRORS: Final = 1000
FORMER_KEYS: Final = {
    "traefik": "Kamal 1 ran Traefik; Kamal 2 has a proxy of its own, with its settings below `proxy`",
    "healthcheck": "in Kamal 2 this is proxy/healthcheck; its port is proxy/app_port, its time limit deploy_timeout",
    "multiarch": "in Kamal 2 the processors are listed in builder/arch, such as [amd64, arm64]",
    "stop_wait_time": "in Kamal 2 this is drain_timeout",
    "primary_web_role": "in Kamal 2 this is primary_role",
    "audit_broadcast_cmd": "in Kamal 2 this is done by a hook, such as .kamal/hooks/post-deploy",
}
"""Keys of Kamal 1, and what became of them."""

_ENV_KEYS: Final = ("clear", "secret", "tags")


def structural_violations(root: MapNode) -> list[Violation]:
    """Everything that the schema finds wrong, at most one violation for a value."""
    violations: list[Violation] = []
    by_value: dict[KeyPath, tuple[int, Violation]] = {}
    for error in islice(_validator().iter_errors(_json_value(root)), _MOST_ERRORS):
        path: KeyPath = tuple("" if step == _EMPTY_KEY else step for step in error.instance_path)
        schema_path = list(error.schema_path)
        keyword = _keyword(schema_path)
        if keyword in ("additionalProperties", "falseSchema"):
            violations += _unknown_keys(root, path, error.kind.as_dict().get("unexpected", ()), schema_path)
        elif isinstance(error.kind, jsonschema_rs.ValidationErrorKind.PropertyNames):
            violations += _key_violations(root, path, error.kind.as_dict()["error"].instance, schema_path)
        elif keyword in _KEYWORD_ORDER:
            rank = _KEYWORD_ORDER.index(keyword)
            violation = _value_violation(root, path, keyword, schema_path)
            if violation is not None and (path not in by_value or rank < by_value[path][0]):
                by_value[path] = (rank, violation)
    reported: set[tuple[KeyPath, str]] = set()
    for _, violation in by_value.values():
        if (violation.path, violation.text) not in reported:
            reported.add((violation.path, violation.text))
            violations.append(violation)
    return violations


@cache
def _validator() -> Any:
    return jsonschema_rs.Draft202012Validator(bundle())


def _keyword(schema_path: list[Any]) -> str:
    return str(schema_path[-1])


def _value_violation(root: MapNode, path: KeyPath, keyword: str, schema_path: list[Any]) -> Violation | None:
    schema = schema_node(schema_path[:-1])
    node, key_position = node_at(root, path)
    own = keyword == "pattern" and "x-own" in schema
    if (blank(node) and (own or "x-blank-passes" in schema)) or (keyword == "enum" and not truthy(node)):
        return None
    expected, message = _wording(schema, keyword, node)
    levels = schema.get("x-at-parent", 0)
    return Violation(
        _RULES.get(keyword, INVALID_VALUE),
        path[: len(path) - levels],
        message,
        key_position if isinstance(node, ScalarNode) and node.value is None else node.position,
        Phase.RULE if levels else _PHASES.get(keyword, Phase.RULE),
        stage=OWN_STAGE if own else 0,
        expected=expected,
        found=described(node),
    )


def _key_violations(root: MapNode, path: KeyPath, name: str, schema_path: list[Any]) -> list[Violation]:
    """Return the violation of a key whose name the user chose, where the schema has words for it."""
    schema = schema_node(schema_path[:-1])
    node, _ = node_at(root, path)
    key = "" if name == _EMPTY_KEY else name
    if "x-pattern-message" not in schema or not isinstance(node, MapNode) or key not in node.named():
        return []
    position = node.named()[key][1].key_position
    message: str = schema["x-pattern-message"]
    return [Violation(INVALID_NAME, (*path, key), message, position, stage=OWN_STAGE)]


def _wording(schema: dict[str, Any], keyword: str, node: Node) -> tuple[str | None, str]:
    """Return the expectation, if it can be said shortly, and the message."""
    if keyword == "pattern":
        message: str = schema["x-pattern-message"]
        return message.removeprefix("should be "), message
    if keyword in ("minProperties", "maxProperties"):
        return "one host with its tags", schema["x-count-message"]
    if keyword == "enum":
        return " or ".join(schema["enum"]), schema["x-message"].format(value=text(node) or "")
    if "x-message" in schema:
        message = schema["x-message"]
        return (message.removeprefix("should be ") if message.startswith("should be ") else None), message
    expected = schema.get("x-expected") or _expected(schema["type"])
    return expected, f"should be {expected}"


def _expected(types: str | list[str]) -> str:
    names = [types] if isinstance(types, str) else types
    return " or ".join(_TYPE_WORDS[name] for name in sorted(names) if name in _TYPE_WORDS)


def _unknown_keys(root: MapNode, path: KeyPath, unknown: Iterable[str], schema_path: list[Any]) -> list[Violation]:
    """One violation a key; the first carries Ruby Kamal's message, which names all."""
    schema = resolved(schema_node(schema_path[:-1]))
    node, _ = node_at(root, path)
    if not isinstance(node, MapNode):
        return []
    names = {"" if name == _EMPTY_KEY else name for name in unknown}
    found = [(str(key), entry.key_position) for key, entry in node.entries.items() if path_name(key) in names]
    if not found:
        return []
    prefix = f"{'/'.join(str(step) for step in path)}: " if path else ""
    listed = ", ".join(name for name, _ in found)
    together = f"{prefix}unknown key{'s' if len(found) > 1 else ''}: {listed}"
    known = list(schema.get("properties", {}))
    return [
        Violation(
            KAMAL_1_KEY if name in FORMER_KEYS else UNKNOWN_KEY,
            path,
            f"unknown key: {name}",
            position,
            Phase.UNKNOWN_KEYS,
            ruby_message=together,
            remedy=FORMER_KEYS.get(name)
            or _remedy(path, node, nearest(name, known, likeness=0.6) if index < MOST_SHOWN else None),
        )
        for index, (name, position) in enumerate(found)
    ]


def _remedy(path: KeyPath, node: MapNode, near: str | None) -> str | None:
    """The nearest spelling, and where a variable belongs that stands beside `clear`, `secret` or `tags`.

    Such variables come about where two files are merged.
    """
    meant = None if near is None else f"did you mean {near}?"
    if not path or path[-1] != "env":
        return meant
    beside = next((entry for key, entry in node.entries.items() if str(key) in _ENV_KEYS), None)
    where = f" (set at {beside.key_position})" if beside is not None else ""
    advice = f"beside `clear`, `secret` or `tags`{where} a variable is written below `clear`"
    return advice if meant is None else f"{meant}\n{advice}"


def _meant(name: str, known: list[str]) -> str | None:
    return nearest(name, known, likeness=0.6)


def node_at(root: Node, path: KeyPath) -> tuple[Node, Position]:
    """The node at a path of the validator and the position of its key (its own in a list)."""
    node, key_position = root, root.position
    for step in path:
        if isinstance(node, ListNode):
            node = node.items[int(step)]
            key_position = node.position
        elif isinstance(node, MapNode):
            entry = node.named()[str(step)][1]
            node, key_position = entry.node, entry.key_position
    return node, key_position


def _json_value(node: Node) -> Any:
    """The node as the validator's plain data.

    Dates become null. Fractions and symbols become one fraction: both pass for a text, and neither for a real string.
    """
    match node:
        case MapNode(entries=entries):
            return {path_name(key) or _EMPTY_KEY: _json_value(entry.node) for key, entry in entries.items()}
        case ListNode(items=items):
            return [_json_value(item) for item in items]
        case ScalarNode(value=Symbol() | float()):
            return 0.5
        case ScalarNode(value=bool() | int() | str() as value):
            return value
        case _:
            return None
