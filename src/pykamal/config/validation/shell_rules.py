"""The rule for command lines: every quote is closed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from pykamal.config.document import MapNode, Node
from pykamal.config.node_reading import child, entries, text
from pykamal.config.servers import role_nodes
from pykamal.config.validation.ruby_precedence import OWN_STAGE
from pykamal.config.validation.violation import KeyPath, Violation
from pykamal.core.catalogue.settings import UNCLOSED_QUOTE

_NAMES = {"'": "a single quote", '"': "a double quote", "`": "a back-tick", "$(": "a $("}


def shell_violations(root: MapNode) -> Iterator[Violation]:
    """Violations by quotes of `cmd`, `ssh/proxy_command` and aliases that are not closed."""
    for path, node in _command_lines(root):
        if opened := unclosed(text(node) or ""):
            yield _violation(path, f"has {_NAMES[opened]} that is not closed", node)
    for name, node in entries(root.get("aliases")):
        try:
            shlex.split(text(node) or "")
        except ValueError as error:
            if "quotation" in str(error):
                yield _violation(("aliases", name), "has a quote that is not closed", node)


def _violation(path: KeyPath, message: str, node: Node) -> Violation:
    return Violation(UNCLOSED_QUOTE, path, message, node.position, stage=OWN_STAGE)


def _command_lines(root: MapNode) -> Iterator[tuple[KeyPath, Node]]:
    sections: list[tuple[KeyPath, Node | None]] = [
        *((("servers", role.name, "cmd"), child(role.settings, "cmd")) for role in role_nodes(root)),
        *((("accessories", name, "cmd"), child(node, "cmd")) for name, node in entries(root.get("accessories"))),
        (("ssh", "proxy_command"), child(root, "ssh", "proxy_command")),
    ]
    return ((path, node) for path, node in sections if node is not None)


def unclosed(line: str) -> str | None:
    """The first quote, back-tick or `$(` of a command line that is open at its end; None where none is for certain."""
    opened: list[str] = []
    position = 0
    while position < len(line):
        character, two, inside = line[position], line[position : position + 2], opened[-1] if opened else ""
        if inside == "'":
            if character == "'":
                opened.pop()
        elif character == "\\":
            position += 1
        elif character == _ENDS.get(inside):
            opened.pop()
        elif character == "`" and "`" in opened:
            del opened[opened.index("`") :]
        elif two in ("$(", "${", "$$"):
            opened += [] if two == "$$" else [two]
            position += 1
        elif character in _BEGINNINGS and not _literal(character, opened):
            opened.append(character)
        elif character == "#" and inside not in ('"', "${") and not line[position - 1 : position].strip():
            newline = line.find("\n", position)
            position = len(line) if newline < 0 else newline
        position += 1
    first = next((each for each in opened if each != "("), None)
    return first if first in _NAMES else None


_ENDS = {'"': '"', "`": "`", "$(": ")", "(": ")", "${": "}"}


_BEGINNINGS = "\"'`("


def _literal(character: str, opened: list[str]) -> bool:
    """A single quote is no quote inside double ones, nor in a `${` that they hold; a `(` counts in commands alone."""
    match character:
        case "'":
            return opened[-1:] == ['"'] or opened[-2:] == ['"', "${"]
        case "(":
            return opened[-1:] in (['"'], ["${"])
    return False
