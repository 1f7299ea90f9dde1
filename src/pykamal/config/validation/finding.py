"""One thing wrong, before it is ordered and worded for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from pykamal.config.document import ListNode, MapNode, Node, ScalarNode
from pykamal.config.problems import quoted
from pykamal.core.errors import Problem
from pykamal.core.ruby import Symbol
from pykamal.core.source import Position

KeyPath: TypeAlias = tuple[str | int, ...]

_DOCKER_ARCHITECTURE = "Kamal::Utils.docker_arch"
_NO_DOCKER = (
    "Docker on this machine told no architecture: start or install it, or write the servers' own, such as arch: amd64"
)
_HIDDEN_KEYS = frozenset({"password", "key_data"})


class Phase(IntEnum):
    """When the check runs, relative to the other checks of the same place."""

    TYPE = 0
    UNKNOWN_KEYS = 1
    CHILDREN = 2
    SELECTOR = 3
    """That an accessory says in one way where it runs: before every other rule."""
    RULE = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """`path` is where the message applies, `text` the message without the path.

    `stage` places the checks across sections after all others, in their own order. `ruby_message` is what Ruby Kamal
    prints where one of its messages covers several findings.
    """

    path: KeyPath
    text: str
    position: Position
    phase: Phase = Phase.RULE
    stage: int = 0
    label: str | None = None
    ruby_message: str | None = None
    expected: str | None = None
    found: str | None = None
    suggestion: str | None = None
    note: str | None = None

    @property
    def message(self) -> str:
        return f"{path_text(self.path)}: {self.text}" if self.path else self.text

    def problem(self, lines: Mapping[str, Sequence[str]]) -> Problem:
        """For people. Values that may be secret are neither quoted nor named."""
        hidden = bool(_HIDDEN_KEYS.intersection(str(step) for step in self.path))
        line = None if hidden else quoted(lines.get(self.position.file, ()), self.position)
        asks_docker = line is not None and _DOCKER_ARCHITECTURE in line
        return Problem(
            self.message,
            path=path_text(self.path),
            position=self.position,
            expected=self.expected,
            found=None if hidden else self.found,
            suggestion=self.suggestion,
            note=_NO_DOCKER if self.note is None and asks_docker else self.note,
            quoted_line=line,
        )


def path_text(path: KeyPath) -> str:
    return "/".join(str(step) for step in path)


def described(node: Node) -> str:
    """What stands there, for `found`: the kind and, for short values, the value."""
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
