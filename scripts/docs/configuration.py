"""The reference of every key as Markdown, made from the schema.

`python -m scripts.docs.configuration docs/configuration.md` writes it between the two marks of that file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pykamal.config.schema import bundle, own_sections, resolved, section

BEGINNING: Final = "<!-- reference: begin -->"
END: Final = "<!-- reference: end -->"
TEMPLATES_BEGINNING: Final = "<!-- templates: begin -->"
TEMPLATES_END: Final = "<!-- templates: end -->"

_SECTIONS: Final = (
    ("", "Root keys"),
    ("servers/$defs/role", "`servers/ROLE`"),
    ("env/$defs/root/then", "`env`"),
    ("registry", "`registry`"),
    ("builder", "`builder`"),
    ("proxy", "`proxy`"),
    ("accessories/$defs/accessory", "`accessories/NAME`"),
    ("types/$defs/paths/items", "Entries of an accessory's `files` and `directories`"),
    ("ssh", "`ssh`"),
    ("sshkit", "`sshkit`"),
    ("boot", "`boot`"),
    ("logging", "`logging`"),
    ("output", "`output`"),
    ("x-pykamal", "`x-pykamal`"),
)
_ANY_TEXT: Final = {"string", "number", "boolean"}
_TYPE_WORDS: Final = {
    "array": "list",
    "object": "map",
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
}


def markdown() -> str:
    """One table a section: key, type, default, meaning, example."""
    return "\n".join(line for place, title in (*_SECTIONS, *_own_sections()) for line in _section(place, title))


def _own_sections() -> Iterator[tuple[str, str]]:
    """Our own sections, and the maps in them whose keys the user chooses."""
    for name, keys in own_sections().items():
        yield name, f"`{'/'.join(keys)}`"
        for key, setting in section(name)["properties"].items():
            _, inside, place = (setting.get("additionalProperties") or {}).get("$ref", "").partition("#/")
            if inside:
                yield f"{name}/{place}", f"`{'/'.join(keys)}/{key}/NAME`"


def with_reference(text: str) -> str:
    """A document with its references replaced by the current ones: what templates may use, and every key."""
    text = _between(text, TEMPLATES_BEGINNING, TEMPLATES_END, f"{templates()}\n")
    return _between(text, BEGINNING, END, markdown())


def templates() -> str:
    """The Ruby that templates may use."""
    from scripts.docs.templates import markdown

    from pykamal.config.config_template import extensions

    nowhere: Any = None  # a machine is not asked for the names of what may be asked of it
    return markdown(nowhere, extensions(nowhere))


def _between(text: str, beginning: str, end: str, content: str) -> str:
    before, _, rest = text.partition(beginning)
    _, _, after = rest.partition(end)
    return f"{before}{beginning}\n\n{content}\n{end}{after}"


def _section(place: str, title: str) -> Iterator[str]:
    node: Any = bundle()
    for step in ["$defs", *place.split("/")] if place else []:
        node = node[step]
    yield f"### {title}\n"
    yield "| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |"
    for key, setting in _rows(resolved(node)["properties"], ""):
        default = f"`{json.dumps(setting['default'], ensure_ascii=False)}`" if "default" in setting else ""
        example = json.dumps(setting["examples"][0], ensure_ascii=False)
        cells = (f"`{key}`", _type(setting), default, setting["description"], f"`{example}`")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _rows(properties: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Keys with those of the small maps inside them; sections with a table of their own are not opened."""
    for key, written in properties.items():
        setting = resolved(written)
        if "not" in setting:
            continue
        yield f"{prefix}{key}", setting
        if "$ref" not in written and setting.get("additionalProperties") is not True:
            yield from _rows(setting.get("properties", {}), f"{prefix}{key}/")


def _type(setting: dict[str, Any]) -> str:
    if "enum" in setting:
        return " or ".join(f"`{choice}`" for choice in setting["enum"])
    types = setting.get("type") or ["array" if isinstance(value, list) else "string" for value in setting["examples"]]
    names = [types] if isinstance(types, str) else types
    if set(names) >= _ANY_TEXT:
        names = ["string", *(name for name in names if name not in _ANY_TEXT)]
    return " or ".join(_TYPE_WORDS[name] for name in names if name in _TYPE_WORDS)


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(with_reference(document.read_text(encoding="utf-8")), encoding="utf-8")
