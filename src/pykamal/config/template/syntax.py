"""What a template's code says, as a tree. Every node knows its offset in the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pykamal.config.template.patterns import Pattern


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool | Pattern | None
    offset: int


@dataclass(frozen=True, slots=True)
class SymbolLiteral:
    name: Text
    offset: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text with `#{...}` inside."""

    parts: tuple[str | Expression, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Shell:
    """Back-ticks: the standard output of a shell line."""

    line: Text
    offset: int


@dataclass(frozen=True, slots=True)
class ListLiteral:
    items: tuple[Expression, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class MapLiteral:
    pairs: tuple[tuple[Expression, Expression], ...]
    offset: int


@dataclass(frozen=True, slots=True)
class RangeLiteral:
    """Without `last` it has no end, and is good for indexing only."""

    first: Expression
    last: Expression | None
    exclusive: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Constant:
    """`ENV`, `File`, `Kamal::Utils`."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Block:
    parameters: tuple[str, ...]
    body: Body
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """`receiver.name(arguments) { block }`; no receiver for `require "x"`. `safe` is `&.`."""

    receiver: Expression | None
    name: str
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...]
    block: Block | None
    safe: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class Splat:
    """`*list` among items or arguments."""

    value: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class Condition:
    test: Expression
    then: Body
    otherwise: Body
    offset: int


@dataclass(frozen=True, slots=True)
class Case:
    subject: Expression | None
    branches: tuple[tuple[tuple[Expression, ...], Body], ...]
    otherwise: Body
    offset: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """`target` is a Variable or an index such as `ENV["X"]`; `operator` is `=`, `||=` or one such as `+=`."""

    target: Expression
    operator: str
    value: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class Output:
    """`<%= code %>` inserts the value of the last statement."""

    code: Body
    offset: int


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text of the template outside its tags."""

    text: str
    offset: int


Expression: TypeAlias = (
    Literal
    | SymbolLiteral
    | Text
    | Shell
    | ListLiteral
    | MapLiteral
    | RangeLiteral
    | Variable
    | Constant
    | Call
    | Unary
    | Binary
    | Splat
    | Condition
    | Case
    | Assignment
)
Statement: TypeAlias = Expression | Output | Verbatim
Body: TypeAlias = tuple[Statement, ...]
