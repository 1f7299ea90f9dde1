"""Every place of deploy.yml that takes a text, derived from the schema itself.

A place is a path such as `env/clear/*`: `*` is a key of the user's choice, `[]` an item of a list, and `{key}` at the
end the name of such a key. Integers, booleans and texts of a fixed set take nobody's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from pykamal.config.schema import bundle, resolved

Tree = dict[str, Any]

KEY: Final = "{key}"


def places(schema: Any = None) -> list[str]:
    """All places of a schema, of deploy.yml's by default."""
    return sorted(set(_places(bundle() if schema is None else schema, "")))


def _places(node: Any, path: str) -> Iterator[str]:
    if not isinstance(node, dict):
        return
    node = resolved(node)
    below = f"{path}/" if path else ""
    for branch in ("then", "else"):
        yield from _places(node.get(branch), path)
    types = node.get("type", [])
    types = [types] if isinstance(types, str) else types
    if ("string" in types or _anything(node)) and not {"enum", "const", "not"} & node.keys() and path:
        yield path
    for key, value in node.get("properties", {}).items():
        yield from _places(value, f"{below}{key}")
    free = node.get("additionalProperties", "object" in types and not {"then", "else"} & node.keys())
    if free and path:
        yield f"{below}{KEY}"
        yield from _places(free, f"{below}*") if isinstance(free, dict) else [f"{below}*", f"{below}*/[]"]
    if "items" in node:
        yield from _places(node["items"], f"{below}[]")


def _anything(node: Tree) -> bool:
    return not {"type", "properties", "additionalProperties", "items", "then", "else"} & node.keys()


_FREE_KEYS: Final = {"servers": "web", "accessories": "db", "env/tags": "t"}
"""Keys of the user's choice that must be the ones that the rest of the file has."""


_VALUES_OF_KEYS: Final[Tree] = {
    "servers/{key}": {"hosts": ["h9"]},
    "accessories/{key}": {"image": "i", "host": "h9", "env": {"secret": ["S"]}},
    "env/tags/{key}": {"A": "1"},
}
_TEMPLATES: Final = {
    "accessories/*/files/[]": "my.cnf:/{}",
    "accessories/*/directories/[]": "{}:/data",
    "env/secret/[]": "{}:SECRET",
}
"""The parts of a text that must be there, around the one that is somebody's."""


def with_text(tree: Tree, place: str, text: str) -> Tree:
    """The tree with a text at a place; what stands in its way is replaced."""
    steps = place.split("/")
    tree = deepcopy(tree)
    value: Any = _TEMPLATES.get(place, "{}").format(text)
    if steps[-1] == KEY:
        steps[-1] = text
        value = _VALUES_OF_KEYS.get(place, "harmless")
    node: Any = tree
    for position, step in enumerate(steps):
        key: Any = _FREE_KEYS.get("/".join(steps[:position]), "k") if step == "*" else 0 if step == "[]" else step
        if position == len(steps) - 1:
            inner: Any = value
        else:
            inner = [] if steps[position + 1] == "[]" else {}
        present = (node[0] if node else None) if step == "[]" else node.get(key)
        if inner is value or type(present) is not type(inner):
            present = inner
            if step == "[]":
                node[:1] = [inner]
            else:
                node[key] = inner
        node = present
    return tree
