"""A rule that a document breaks, before the diagnostics are ordered and worded for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from pykamal.config.document import ListNode, MapNode, Node, ScalarNode
from pykamal.core.diagnostics import Diagnostic, Location, Rule
from pykamal.core.ruby import Symbol
from pykamal.core.source import Position, quoted

KeyPath: TypeAlias = tuple[str | int, ...]

_DOCKER_ARCHITECTURE = "Kamal::Utils.docker_arch"
_NO_DOCKER = (
    "Docker on this machine told no architecture: start or install it, or write the servers' own, such as arch: amd64"
)
_HIDDEN_KEYS = frozenset({"password", "key_data"})


class Phase(IntEnum):
    """The order of the checks of one place."""

    TYPE = 0
    UNKNOWN_KEYS = 1
    CHILDREN = 2
    SELECTOR = 3
    """That an accessory says in one way where it runs: before every other rule."""
    RULE = 4


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a document breaks, and its place in the order of Ruby Kamal's checks.

    `path` is where the message applies, `text` the message without the path. `stage` places the checks across sections
    after all others, in their own order. `label` is the class that Ruby Kamal names, and `ruby_message` what it prints
    where one of its messages covers several violations.
    """

    rule: Rule
    path: KeyPath
    text: str
    position: Position
    phase: Phase = Phase.RULE
    stage: int = 0
    label: str | None = None
    ruby_message: str | None = None
    expected: str | None = None
    found: str | None = None
    evidence: str | None = None
    remedy: str | None = None

    @property
    def message(self) -> str:
        return f"{path_text(self.path)}: {self.text}" if self.path else self.text

    def diagnostic(self, lines: Mapping[str, Sequence[str]]) -> Diagnostic:
        """The diagnostic for people. It neither quotes nor names a value that may be secret."""
        hidden = bool(_HIDDEN_KEYS.intersection(str(step) for step in self.path))
        quote = None if hidden else quoted(lines.get(self.position.file, ()), self.position)
        asks_docker = quote is not None and _DOCKER_ARCHITECTURE in quote
        found = f", found {self.found}" if self.found is not None and not hidden else ""
        expectation = f"expected {self.expected}{found}" if self.expected is not None else None
        return self.rule.diagnostic(
            self.message,
            Location(self.position, path_text(self.path), quote=quote),
            evidence=[each for each in (expectation, self.evidence) if each is not None],
            remedy=_NO_DOCKER if self.remedy is None and asks_docker else self.remedy,
        )


def path_text(path: KeyPath) -> str:
    """The path in the form of the specification: `servers/web/hosts/0`."""
    return "/".join(str(step) for step in path)


def described(node: Node) -> str:
    """The kind of a value and, where it is short, the value."""
    match node:
        case MapNode(entries=entries):
            return "a map" if entries else "an empty map"
        case ListNode(items=items):
            return "a list" if items else "an empty list"
        case ScalarNode(value=None):
            return "nothing (null)"
        case ScalarNode(value=bool(), text=text):
            return f"the boolean {text}"
        case ScalarNode(value=int(), text=text):
            return f"the integer {_short(text)}"
        case ScalarNode(value=float(), text=text):
            return f"the number {_short(text)}"
        case ScalarNode(value=str() | Symbol(), text=text):
            return f'the string "{_short(text)}"'
        case ScalarNode(text=text):
            return f"the date {_short(text)}"


def _short(text: str) -> str:
    line = text.replace("\n", "\\n")
    return line if len(line) <= 40 else f"{line[:37]}..."
