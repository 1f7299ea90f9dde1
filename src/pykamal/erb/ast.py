"""The syntax tree of a template's code. Every node knows its offset in the template.

Nodes are neither compared nor printed nor changed. Without what that takes their classes are made in a tenth of the
time that data classes need, which every command would wait for.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias, dataclass_transform


@dataclass_transform(eq_default=False)
class Node:
    """A node, made from the values of its annotations in order; missing values are the class's defaults."""

    _names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls._names = (*cls._names, *cls.__annotations__) if "__annotations__" in cls.__dict__ else cls._names

    def __init__(self, *values: Any, **named: Any) -> None:
        self.__dict__.update(zip(self._names, values, strict=False))
        self.__dict__.update(named)


class Literal(Node):
    value: str | int | float | bool | None
    offset: int


class SymbolLiteral(Node):
    name: Text
    offset: int


class Text(Node):
    """A text with `#{...}` inside."""

    parts: tuple[str | Body, ...]
    offset: int


class RegexpLiteral(Node):
    source: Text
    flags: str
    offset: int


class Shell(Node):
    """Back-ticks, which evaluate to the standard output of a shell line."""

    line: Text
    offset: int


class ListLiteral(Node):
    items: tuple[Expression, ...]
    offset: int


class MapLiteral(Node):
    """A hash literal. A pair without a key is `**map`."""

    pairs: tuple[tuple[Expression | None, Expression], ...]
    offset: int


class BareMap(MapLiteral):
    """A hash among arguments, without braces."""


class RangeLiteral(Node):
    first: Expression | None
    last: Expression | None
    exclusive: bool
    offset: int


class Variable(Node):
    """`name`, `@name` or `$name`. `assigned` is true for a local variable assigned above, which may be nil."""

    name: str
    assigned: bool
    offset: int


class Constant(Node):
    """`ENV`, `File`, `ERB::Util`."""

    name: str
    offset: int


class Parameter(Node):
    """A parameter. `kind` is required, optional, rest, key, keys or block. A `nested` one takes a list apart."""

    kind: str
    name: str
    default: Expression | None = None
    nested: tuple[Parameter, ...] = ()


class Block(Node):
    """The code of a block, a lambda or a method."""

    parameters: tuple[Parameter, ...]
    body: Body
    offset: int


class Lambda(Node):
    """A lambda (`strict`), which takes exactly the arguments that it names, or a proc."""

    block: Block
    strict: bool
    offset: int


class Definition(Node):
    name: str
    block: Block
    offset: int


class Call(Node):
    """A call `receiver.name(arguments) { block }`; no receiver for `require "x"`. `safe` is `&.`.

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


class Unary(Node):
    operator: str
    operand: Expression
    offset: int


class Binary(Node):
    operator: str
    left: Expression
    right: Expression
    offset: int


class Splat(Node):
    """`*list` among items, arguments or targets."""

    value: Expression
    offset: int


class Condition(Node):
    test: Expression
    then: Body
    otherwise: Body
    offset: int


class Case(Node):
    subject: Expression | None
    branches: tuple[tuple[tuple[Expression, ...], Body], ...]
    otherwise: Body
    offset: int


class Loop(Node):
    """`while`, or `until` with `wanted` false. With `first` the body runs before the test."""

    test: Expression
    wanted: bool
    first: bool
    body: Body
    offset: int


class For(Node):
    targets: tuple[Expression, ...]
    items: Expression
    body: Body
    offset: int


class Rescue(Node):
    classes: tuple[Expression, ...]
    target: Expression | None
    body: Body


class Begin(Node):
    body: Body
    rescues: tuple[Rescue, ...]
    otherwise: Body
    ensure: Body
    offset: int


class Jump(Node):
    """`kind` is next, break, return or retry."""

    kind: str
    value: Expression | None
    offset: int


class Yield(Node):
    arguments: tuple[Expression, ...]
    offset: int


class Defined(Node):
    value: Expression
    offset: int


class Assignment(Node):
    """`target` is a Variable, a Constant or an index such as `ENV["X"]`; `operator` is `=`, `||=`, `+=` or another."""

    target: Expression
    operator: str
    value: Expression
    offset: int


class MultipleAssignment(Node):
    targets: tuple[Expression, ...]
    value: Expression
    offset: int


class Sequence(Node):
    """Statements in parentheses, of which the last is the value."""

    body: Body
    offset: int


class Output(Node):
    """`<%= code %>` inserts the value of the last statement."""

    code: Body
    offset: int


class Verbatim(Node):
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
