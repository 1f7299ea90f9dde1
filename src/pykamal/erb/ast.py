"""What a template's code says, as a tree. Every node knows its offset in the template.

Nodes are neither compared nor printed nor changed; classes without what that takes are made in a quarter of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pykamal.erb.regexps import Regexp


@dataclass(slots=True, eq=False, repr=False)
class Literal:
    value: str | int | float | bool | Regexp | None
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class SymbolLiteral:
    name: Text
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Text:
    """A text with `#{...}` inside."""

    parts: tuple[str | Expression, ...]
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Shell:
    """Back-ticks: the standard output of a shell line."""

    line: Text
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class ListLiteral:
    items: tuple[Expression, ...]
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class MapLiteral:
    pairs: tuple[tuple[Expression, Expression], ...]
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class RangeLiteral:
    """Without `last` it has no end, and is good for indexing only."""

    first: Expression
    last: Expression | None
    exclusive: bool
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Variable:
    name: str
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Constant:
    """`ENV`, `File`, `ERB::Util`."""

    name: str
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Block:
    parameters: tuple[str, ...]
    body: Body
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Call:
    """`receiver.name(arguments) { block }`; no receiver for `require "x"`. `safe` is `&.`."""

    receiver: Expression | None
    name: str
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...]
    block: Block | None
    safe: bool
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Unary:
    operator: str
    operand: Expression
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Binary:
    operator: str
    left: Expression
    right: Expression
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Splat:
    """`*list` among items or arguments."""

    value: Expression
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Condition:
    test: Expression
    then: Body
    otherwise: Body
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Case:
    subject: Expression | None
    branches: tuple[tuple[tuple[Expression, ...], Body], ...]
    otherwise: Body
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Assignment:
    """`target` is a Variable or an index such as `ENV["X"]`; `operator` is `=`, `||=` or one such as `+=`."""

    target: Expression
    operator: str
    value: Expression
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Output:
    """`<%= code %>` inserts the value of the last statement."""

    code: Body
    offset: int


@dataclass(slots=True, eq=False, repr=False)
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
