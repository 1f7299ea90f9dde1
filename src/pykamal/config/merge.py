"""A destination's file laid over the base (spec/config.md 1.2)."""

from __future__ import annotations

from pykamal.config.document import Entry, MapNode


def merged(base: MapNode, over: MapNode) -> MapNode:
    """Mappings merge key by key; anything else replaces. Keys of the base keep their place, new ones follow."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        present = entries.get(key)
        if present is not None and isinstance(present.node, MapNode) and isinstance(entry.node, MapNode):
            entries[key] = Entry(present.key_position, merged(present.node, entry.node))
        else:
            entries[key] = entry
    size = 1 + sum(1 + entry.node.size for entry in entries.values())
    return MapNode(entries, base.position, size)
