"""The document without what may be secret, for showing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pykamal.config.document import Entry, ListNode, MapNode, Node, ScalarNode
from pykamal.core.sensitive import REDACTED, Sensitive

_ANY: Final = "*"
_KEY_DATA: Final = ("ssh", "key_data", _ANY)
_LITERAL_SECRETS: Final = (
    ("registry", "password"),
    ("accessories", _ANY, "registry", "password"),
    _KEY_DATA,
)


def without_secrets(root: MapNode) -> MapNode:
    """Literal passwords of registries and all key data as `[REDACTED]`; names of secrets stay."""
    for path in _LITERAL_SECRETS:
        redacted = _redacted(root, path)
        assert isinstance(redacted, MapNode), "a mapping stays one"
        root = redacted
    return root


def literal_secrets(root: MapNode) -> tuple[Sensitive, ...]:
    """Return the values that `without_secrets` leaves out. Key data that is the name of a secret is none itself."""
    return tuple(
        Sensitive(text)
        for path in _LITERAL_SECRETS
        for text in _literals(root, path)
        if not (path == _KEY_DATA and text.isidentifier())
    )


def _literals(node: Node, path: tuple[str, ...]) -> Iterator[str]:
    if not path:
        if isinstance(node, ScalarNode):
            yield node.text
        return
    step, rest = path[0], path[1:]
    if isinstance(node, ListNode) and step == _ANY:
        inner: Iterable[Node] = node.items
    elif isinstance(node, MapNode):
        inner = [entry.node for key, entry in node.entries.items() if step in (_ANY, key)]
    else:
        inner = ()
    for each in inner:
        yield from _literals(each, rest)


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
