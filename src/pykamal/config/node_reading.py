"""Short ways to read nodes with Ruby's idea of truth and emptiness."""

from __future__ import annotations

from pykamal.config.document import ListNode, MapNode, Node, ScalarNode, ruby_text
from pykamal.core.ruby import Symbol


def child(node: Node | None, *keys: str) -> Node | None:
    """The node below, None where a step is missing or no mapping."""
    for key in keys:
        if not isinstance(node, MapNode):
            return None
        node = node.get(key)
    return node


def blank(node: Node | None) -> bool:
    """Absent, null, false, white space only, or an empty list or mapping."""
    match node:
        case None:
            return True
        case MapNode(entries=entries):
            return not entries
        case ListNode(items=items):
            return not items
        case ScalarNode(value=None | False):
            return True
        case ScalarNode(value=str() as value):
            return not value.strip()
        case _:
            return False


def truthy(node: Node | None) -> bool:
    """Anything that is there and neither null nor false; an empty mapping too."""
    return node is not None and not (isinstance(node, ScalarNode) and (node.value is None or node.value is False))


def text(node: Node | None) -> str | None:
    """The scalar as text, None when it is absent or null."""
    if not isinstance(node, ScalarNode) or node.value is None:
        return None
    return ruby_text(node.value)


def chosen(node: Node | None, default: str) -> str:
    """The scalar as text, the default when it is absent, null, false or empty."""
    return (text(node) if truthy(node) else None) or default


def string(node: Node | None) -> str | None:
    """The text of a string or symbol, None for everything else."""
    if isinstance(node, ScalarNode) and isinstance(node.value, (str, Symbol)):
        return str(node.value)
    return None


def integer(node: Node | None) -> int | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    return None


def boolean(node: Node | None) -> bool | None:
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, bool) else None


def texts(node: Node | None) -> tuple[str, ...]:
    """The texts of a list; nothing for anything else."""
    if not isinstance(node, ListNode):
        return ()
    return tuple(value for item in node.items if (value := text(item)) is not None)


def entries(node: Node | None) -> list[tuple[str, Node]]:
    """Keys as text with their nodes; nothing for anything but a mapping."""
    return list(node.items()) if isinstance(node, MapNode) else []


def host_names(node: Node | None) -> tuple[str, ...]:
    """Names in a hosts list: strings, and the key of each one-key mapping."""
    if not isinstance(node, ListNode):
        return ()
    names: list[str] = []
    for item in node.items:
        if isinstance(item, MapNode):
            names.extend(str(key) for key in item.entries)
        elif (name := text(item)) is not None:
            names.append(name)
    return tuple(names)
