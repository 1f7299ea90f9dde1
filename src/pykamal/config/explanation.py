"""The origin and the meaning of a value of the configuration (`kamal config --explain KEY`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pykamal.config.document import ListNode, MapNode, Node, plain_value
from pykamal.config.redaction import without_secrets
from pykamal.config.schema import bundle, resolved
from pykamal.config.show import plain_data
from pykamal.core.diagnostic_report import position_fields
from pykamal.core.source import Position


@dataclass(frozen=True, slots=True)
class Explanation:
    """`written` tells whether the files set the key; `value` is plain data, the default where they do not.

    `known` is False for a key that the schema does not have.
    """

    path: str
    known: bool
    written: bool
    value: Any = None
    position: Position | None = None
    description: str | None = None
    default: Any = None

    def as_json(self) -> dict[str, Any]:
        """`{"key", "known", "written", "value", "file", "line", "column", "default", "description"}`."""
        return {
            "key": self.path,
            "known": self.known,
            "written": self.written,
            "value": plain_data(self.value),
            **position_fields(self.position),
            "default": self.default,
            "description": self.description,
        }


def explain(root: MapNode, path: str) -> Explanation:
    """The key at a path such as `servers/web/cmd` or `proxy.app_port`, in the merged document."""
    steps = [step for step in path.replace(".", "/").split("/") if step] if "/" not in path else path.split("/")
    schema = _schema_at(steps)
    node = _node_at(without_secrets(root), steps)
    return Explanation(
        path="/".join(steps),
        known=schema is not None,
        written=node is not None,
        value=(schema or {}).get("default") if node is None else plain_value(node),
        position=None if node is None else node.position,
        description=(schema or {}).get("description"),
        default=(schema or {}).get("default"),
    )


def keys_beside(path: str) -> Iterator[tuple[str, str]]:
    """The keys of the section that a path is in, `proxy/` or `proxy/app`, each with its description."""
    section, slash, _ = path.rpartition("/")
    place = _schema_at([step for step in section.split("/") if step])
    for form in _forms(place) if place is not None else ():
        for name, node in form.get("properties", {}).items():
            yield f"{section}{slash}{name}", resolved(node).get("description", "")


def _node_at(root: Node, steps: list[str]) -> Node | None:
    node: Node | None = root
    for step in steps:
        if isinstance(node, MapNode) and step in node.named():
            node = node.named()[step][1].node
        elif isinstance(node, ListNode) and step.isdigit() and int(step) < len(node.items):
            node = node.items[int(step)]
        else:
            return None
    return node


def _schema_at(steps: list[str]) -> dict[str, Any] | None:
    """Find the schema of a key in any of the forms that its sections may have."""
    places = [bundle()]
    for step in steps:
        forms = [form for place in places for form in _forms(place)]
        named = [form["properties"][step] for form in forms if step in form.get("properties", {})]
        others = [form["additionalProperties"] for form in forms if isinstance(form.get("additionalProperties"), dict)]
        items = [form["items"] for form in forms if step.isdigit() and "items" in form]
        places = named or others or items
        if not places:
            return None
    described = [place for place in map(resolved, places) if "description" in place]
    return described[0] if described else resolved(places[0])


def _forms(place: dict[str, Any]) -> list[dict[str, Any]]:
    whole = resolved(place)
    parts = [whole[key] for key in ("then", "else") if isinstance(whole.get(key), dict)]
    return [whole, *(form for part in parts for form in _forms(part))]
