"""A shell command line as a value.

A `Command` is words plus how commands are joined. `display_text()` is safe to log; `shell_text()` is what a shell gets
and the only place where a secret is revealed. Quoting is the business of `pykamal.commands.words`, nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from pykamal.commands.words import Raw, Syntax, Word, render
from pykamal.core.sensitive import REDACTED, Sensitive, reveal


class Effect(Enum):
    """The effect of a command: it only looks, or also changes the host."""

    READ = "read"
    CHANGE = "change"


class Operator(Enum):
    PIPE = "|"
    AND = "&&"
    OR = "||"
    THEN = ";"


@dataclass(frozen=True, slots=True)
class Simple:
    """One program and its arguments. What `stdin` and `environment` hold never shows in a process list."""

    words: tuple[Word, ...]
    stdin: str | Sensitive | None = None
    redirects: tuple[Word, ...] = ()
    environment: tuple[tuple[str, Word], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A line as one unit, where an operator or a redirection is meant for all of it.

    In braces, `{ a && b; }`, or in a subshell, `(a && b)`, which an `exit` inside ends alone.
    """

    line: Node
    redirects: tuple[Word, ...] = ()
    subshell: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    left: Node
    operator: Operator
    right: Node


Node: TypeAlias = Simple | Group | Line


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, whether it changes the host, and whether a non-zero exit status is acceptable.

    `summary` stands for a line that is too long to read, wherever the command is shown. `quiet` commands (audit, lock)
    are shown only with `--verbose`, as in Ruby Kamal (spec/cli.md 4.3). A `user_line` is a user's as a whole: it may do
    anything, such as leave processes behind.
    """

    node: Node
    effect: Effect = Effect.CHANGE
    may_fail: bool = False
    quiet: bool = False
    summary: str | None = None
    user_line: bool = False

    # -- building

    def __or__(self, other: Command) -> Command:
        return self._joined(Operator.PIPE, other)

    def and_(self, other: Command) -> Command:
        return self._joined(Operator.AND, other)

    def or_(self, other: Command) -> Command:
        return self._joined(Operator.OR, other)

    def then(self, other: Command) -> Command:
        return self._joined(Operator.THEN, other)

    def grouped(self) -> Command:
        """The same line as one unit, for use beside an operator that binds tighter."""
        return replace(self, node=Group(self.node)) if isinstance(self.node, Line) else self

    def in_subshell(self) -> Command:
        """The same line in a shell of its own, which its `exit`, `cd` and `umask` do not outlive."""
        return replace(self, node=Group(self.node, subshell=True))

    def redirected(self, *redirects: str) -> Command:
        """With redirections after its last program, such as `2>&1` or `> /dev/null`."""
        return replace(self, node=_redirected(self.node, tuple(map(Syntax, redirects))))

    def to_file(self, path: Word, *, append: bool = False) -> Command:
        """With the output of its last program in a file."""
        return replace(self, node=_redirected(self.node, (Syntax(">>" if append else ">"), path)))

    def from_file(self, path: Word) -> Command:
        """With the input of its last program from a file."""
        return replace(self, node=_redirected(self.node, (Syntax("<"), path)))

    def fed(self, text: str | Sensitive) -> Command:
        """With `text` on the standard input of its (only) program."""
        if not isinstance(self.node, Simple):
            raise TypeError("only a simple command can be fed")
        return replace(self, node=replace(self.node, stdin=text))

    def with_environment(self, variables: Mapping[str, Word]) -> Command:
        """With variables for its (only) program, which are not shown. Names are those that a shell can assign to."""
        if not isinstance(self.node, Simple):
            raise TypeError("only a simple command can be given variables")
        return replace(self, node=replace(self.node, environment=tuple(variables.items())))

    def failing_allowed(self) -> Command:
        return replace(self, may_fail=True)

    def quietly(self) -> Command:
        return replace(self, quiet=True)

    # -- rendering

    def display_text(self) -> str:
        """The line for people: secrets are hidden, and a summary stands for what is too long. Never for a shell."""
        return self.summary or _text(self.node, shown=True)

    def shell_text(self) -> str:
        """The line for a shell, with secrets revealed. Never for a log or a message."""
        return _text(self.node, shown=False)

    def __str__(self) -> str:
        """Raise `TypeError`: what is shown of a command must not end up in a shell, nor what a shell gets be shown."""
        raise TypeError("a command has display_text() for people and shell_text() for a shell")

    def arguments(self) -> list[str] | None:
        """The argument vector of a line that needs no shell, secrets revealed; None for every other line."""
        node = self.node
        if not isinstance(node, Simple) or node.redirects or node.environment or not node.words:
            return None
        literal = [word for word in node.words if isinstance(word, str | Sensitive)]
        return [reveal(word) for word in literal] if len(literal) == len(node.words) else None

    @property
    def holds_raw(self) -> bool:
        """True where the shell reads text of the user in it, which may even leave a quote open."""
        return _has_raw(self.node)

    @property
    def program(self) -> str:
        """The first word, which names the command in messages; what only feeds a program does not count."""
        text = self.summary if self.summary is not None else _text(_unfed(self.node), shown=True)
        return text.split(" ", 1)[0]

    def _joined(self, operator: Operator, other: Command) -> Command:
        effect = Effect.CHANGE if Effect.CHANGE in (self.effect, other.effect) else Effect.READ
        return Command(
            Line(self.node, operator, other.node),
            effect,
            self.may_fail,
            self.quiet,
            user_line=self.user_line or other.user_line,
        )


def command(*words: Word) -> Command:
    """A command that changes the host."""
    return Command(Simple(words))


def query(*words: Word) -> Command:
    """A command that only reads."""
    return Command(Simple(words), Effect.READ)


def shell_line(text: str) -> Command:
    """A line that a user wrote, sent as it is."""
    return replace(command(Raw(text)), user_line=True)


def _text(node: Node, *, shown: bool) -> str:
    match node:
        case Simple(words, stdin, redirects, environment):
            line = _words(words + redirects, shown)
            if environment and not shown:
                line = f"{' '.join(f'{name}={render(word, shown=False)}' for name, word in environment)} {line}"
            if stdin is None:
                return line
            return f"printf '%s' {REDACTED if shown else render(stdin, shown=False)} | {line}"
        case Group(inner, redirects, subshell=True):
            return _words((Syntax(f"({_text(inner, shown=shown)})"), *redirects), shown)
        case Group(inner, redirects):
            return _words((Syntax(f"{{ {_text(inner, shown=shown)}; }}"), *redirects), shown)
        case Line(left, operator, right):
            return f"{_text(left, shown=shown)} {operator.value} {_text(right, shown=shown)}"


def _has_raw(node: Node) -> bool:
    match node:
        case Simple(words):
            return any(isinstance(word, Raw) for word in words)
        case Group(line):
            return _has_raw(line)
        case Line(left, _, right):
            return _has_raw(left) or _has_raw(right)


def _unfed(node: Node) -> Node:
    match node:
        case Line(left, operator, right):
            return Line(_unfed(left), operator, right)
        case Simple():
            return replace(node, stdin=None)
        case Group():
            return node


def _words(words: tuple[Word, ...], shown: bool) -> str:
    return " ".join(render(word, shown=shown) for word in words)


def _redirected(node: Node, redirects: tuple[Word, ...]) -> Node:
    match node:
        case Line(left, operator, right):
            return Line(left, operator, _redirected(right, redirects))
        case Simple() | Group():
            return replace(node, redirects=(*node.redirects, *redirects))
