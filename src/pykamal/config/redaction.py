"""The document without what may be secret, for showing it."""

from __future__ import annotations

from typing import Final

from pykamal.config.document import Entry, ListNode, MapNode, Node, ScalarNode
from pykamal.core.sensitive import REDACTED

_ANY: Final = "*"
_LITERAL_SECRETS: Final = (
    ("registry", "password"),
    ("accessories", _ANY, "registry", "password"),
    ("ssh", "key_data", _ANY),
)


def without_secrets(root: MapNode) -> MapNode:
    """Literal passwords of registries and all key data as `[REDACTED]`; names of secrets stay."""
    for path in _LITERAL_SECRETS:
        redacted = _redacted(root, path)
        assert isinstance(redacted, MapNode), "a mapping stays one"
        root = redacted
    return root


def _redacted(node: Node, path: tuple[str, ...]) -> Node:
    if not path:
        return ScalarNode(REDACTED, node.position, REDACTED) if isinstance(node, ScalarNode) else node
    step, rest = path[0], path[1:]
    if isinstance(node, ListNode) and step == _ANY:
        return ListNode([_redacted(item, rest) for item in node.items], node.position, node.size)
    if not isinstance(node, MapNode) or (step != _ANY and step not in node.entries):
        return node
    changed = {
        key: Entry(entry.key_position, _redacted(entry.node, rest))
        for key, entry in node.entries.items()
        if step in (_ANY, key)
    }
    return MapNode({**node.entries, **changed}, node.position, node.size)
