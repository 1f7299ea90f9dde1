"""What a template's code says, as a tree. Every node knows its offset in the template.

Nodes are neither compared nor printed nor changed; classes without what that takes are made in a quarter of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(slots=True, eq=False, repr=False)
class Literal:
    value: str | int | float | bool | None
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class SymbolLiteral:
    name: Text
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Text:
    """A text with `#{...}` inside."""

    parts: tuple[str | Body, ...]
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class RegexpLiteral:
    source: Text
    flags: str
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
    """A pair without a key is `**map`."""

    pairs: tuple[tuple[Expression | None, Expression], ...]
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class BareMap(MapLiteral):
    """Pairs among arguments, without braces."""


@dataclass(slots=True, eq=False, repr=False)
class RangeLiteral:
    first: Expression | None
    last: Expression | None
    exclusive: bool
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Variable:
    """`name`, `@name` or `$name`. `assigned` tells a local variable that is assigned further up, and may be nil."""

    name: str
    assigned: bool
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Constant:
    """`ENV`, `File`, `ERB::Util`."""

    name: str
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Parameter:
    """`kind` is required, optional, rest, key, keys or block. A `nested` one takes a list apart."""

    kind: str
    name: str
    default: Expression | None = None
    nested: tuple[Parameter, ...] = ()


@dataclass(slots=True, eq=False, repr=False)
class Block:
    """The code of a block, a lambda or a method."""

    parameters: tuple[Parameter, ...]
    body: Body
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Lambda:
    """A `strict` one is a lambda, which takes the arguments that it names and no others; else it is a proc."""

    block: Block
    strict: bool
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Definition:
    name: str
    block: Block
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Call:
    """`receiver.name(arguments) { block }`; no receiver for `require "x"`. `safe` is `&.`.

    A keyword without a name is `**map`; `block_argument` is what stands behind `&`.
    """

    receiver: Expression | None
    name: str
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str | None, Expression], ...]
    block: Block | None
    safe: bool
    offset: int
    block_argument: Expression | None = None


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
    """`*list` among items, arguments or targets."""

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
class Loop:
    """`while`, or `until` with `wanted` false. With `first` the body runs before the test."""

    test: Expression
    wanted: bool
    first: bool
    body: Body
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class For:
    targets: tuple[Expression, ...]
    items: Expression
    body: Body
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Rescue:
    classes: tuple[Expression, ...]
    target: Expression | None
    body: Body


@dataclass(slots=True, eq=False, repr=False)
class Begin:
    body: Body
    rescues: tuple[Rescue, ...]
    otherwise: Body
    ensure: Body
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Jump:
    """`kind` is next, break, return or retry."""

    kind: str
    value: Expression | None
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Yield:
    arguments: tuple[Expression, ...]
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Defined:
    value: Expression
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Assignment:
    """`target` is a Variable, a Constant or an index such as `ENV["X"]`; `operator` is `=`, `||=`, `+=` or another."""

    target: Expression
    operator: str
    value: Expression
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class MultipleAssignment:
    targets: tuple[Expression, ...]
    value: Expression
    offset: int


@dataclass(slots=True, eq=False, repr=False)
class Sequence:
    """Statements in parentheses, of which the last is the value."""

    body: Body
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
    | RegexpLiteral
    | Shell
    | ListLiteral
    | MapLiteral
    | RangeLiteral
    | Variable
    | Constant
    | Lambda
    | Definition
    | Call
    | Unary
    | Binary
    | Splat
    | Condition
    | Case
    | Loop
    | For
    | Begin
    | Jump
    | Yield
    | Defined
    | Assignment
    | MultipleAssignment
    | Sequence
)
Statement: TypeAlias = Expression | Output | Verbatim
Body: TypeAlias = tuple[Statement, ...]
