"""Evaluates a template's syntax tree. It reaches only the functions that the tables of methods name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pykamal.core.ruby import Symbol
from pykamal.erb.assignments import ASSIGNMENTS
from pykamal.erb.ast import (
    BareMap,
    Binary,
    Body,
    Constant,
    Defined,
    Expression,
    Lambda,
    ListLiteral,
    Literal,
    MapLiteral,
    Output,
    RangeLiteral,
    RegexpLiteral,
    Sequence,
    Shell,
    Splat,
    Statement,
    SymbolLiteral,
    Text,
    Unary,
    Variable,
    Verbatim,
)
from pykamal.erb.budget import MAXIMUM_DEPTH, MAXIMUM_FILE_BYTES, Budget, BudgetExceeded, check_text
from pykamal.erb.calls import CALLS, call_function, send
from pykamal.erb.control import CONTROL
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.hashes import store
from pykamal.erb.matcher import Regexp
from pykamal.erb.operators import operate, ordered
from pykamal.erb.procs import Proc
from pykamal.erb.rendered import Piece
from pykamal.erb.scope import Scope
from pykamal.erb.shell_lines import not_started
from pykamal.erb.system import CommandRefused
from pykamal.erb.values import Range, RubyString, change, count, inspected, latest, text, true

if TYPE_CHECKING:
    from pykamal.erb.builtins import Builtins
    from pykamal.erb.comments import Comments


class Interpreter:
    """Evaluates one template. `chunks` and `pieces` are the text so far and the origin of each part.

    `offset` is the place of the last expression that was evaluated, which is where a failure happened.
    """

    def __init__(self, builtins: Builtins, budget: Budget, comments: Comments, scope: Scope | None = None) -> None:
        self.chunks: list[str] = []
        self.pieces: list[Piece] = []
        self.builtins = builtins
        self.budget = budget
        self.scope = scope or Scope()
        self.root_frame = self.scope.frame
        self.offset = 0
        self.depth = 0
        self.guarded = 0
        """The number of surrounding `begin` blocks with a `rescue`."""
        self.error: Any = None
        """`$!`, the exception that is being handled."""
        self._comments = comments
        self._length = 0
        self._evaluations: dict[type[Any], Callable[[Interpreter, Any], Any]] = _EVALUATIONS

    def run(self, body: Body) -> Any:
        """Evaluate statements and return the last value. Raises RubyError, Unsupported and BudgetExceeded."""
        value: Any = None
        for statement in body:
            depth = self.depth
            try:
                value = self._statement(statement)
            except (RubyError, Unsupported, CommandRefused) as error:
                if self.guarded or not self._comments.cover(statement.offset):
                    raise
                self.depth = depth
                self._write(self._comments.drop(error, self.offset), statement.offset, literal=False)
        return value

    def _statement(self, statement: Statement) -> Any:
        if isinstance(statement, Verbatim):
            self._write(statement.text, statement.offset, literal=True)
            return None
        if isinstance(statement, Output):
            value = self.run(statement.code)
            self._write(self.shown(value), statement.offset, literal=False)
            return None
        return self.value(statement)

    def _write(self, content: str, offset: int, *, literal: bool) -> None:
        self.budget.step()
        self.pieces.append(Piece(self._length, offset, literal))
        self.chunks.append(content)
        self._length += len(content)
        if self._length > MAXIMUM_FILE_BYTES:
            raise BudgetExceeded(f"the template renders to more than {MAXIMUM_FILE_BYTES:,} characters")

    def value(self, node: Expression) -> Any:
        self.budget.step()
        self.offset = node.offset
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            raise BudgetExceeded(f"code is nested too deeply (more than {MAXIMUM_DEPTH} levels)")
        value = self._evaluations[type(node)](self, node)
        self.depth -= 1
        return value

    def in_scope(self, scope: Scope, body: Body) -> Any:
        before, self.scope = self.scope, scope
        try:
            return self.run(body)
        finally:
            self.scope = before

    def charge(self, value: Any) -> Any:
        """Count the size of a value against the budget and return it with Ruby's strings in it."""
        if isinstance(value, str | list | dict):
            self.budget.use(count(value, self.budget.units_left))
        return self.owned(value)

    @staticmethod
    def owned(value: Any) -> Any:
        """Return the value for a variable: a string becomes a RubyString in its latest state."""
        if isinstance(value, str):
            return latest(value) if isinstance(value, RubyString) else RubyString(value)
        return value

    def shown(self, value: Any) -> str:
        shown = text(self.charge(value))
        check_text(len(shown))
        return shown

    def send(self, receiver: Any, name: str, arguments: list[Any], block: Any = None) -> Any:
        """Call a method of a value."""
        return send(self, receiver, name, arguments, block=block)

    def call_function(self, name: str, arguments: list[Any]) -> Any:
        """Call a method that the template defines, or one of Ruby's without a receiver."""
        return call_function(self, name, arguments, {}, None)

    def items(self, nodes: tuple[Expression, ...]) -> list[Any]:
        """Evaluate the items of a list or of arguments, with `*list` spread."""
        values: list[Any] = []
        for node in nodes:
            if isinstance(node, Splat):
                values += listed(self.value(node.value))
            else:
                values.append(self.value(node))
        return values

    def proc(self, block: Any, *, strict: bool = False) -> Proc:
        return Proc(self, block, self.scope, strict=strict)


def listed(value: Any) -> list[Any]:
    """Return the list of `*value` and `Array(value)`."""
    if isinstance(value, Range):
        return value.items()
    if isinstance(value, dict):
        return [[key, item] for key, item in value.items()]
    return value if isinstance(value, list) else [] if value is None else [value]


# -- values; the calls, assignments and constructs have modules of their own


def _text(interpreter: Interpreter, node: Text) -> RubyString:
    parts = node.parts
    if len(parts) == 1 and isinstance(parts[0], str):
        return RubyString(parts[0])
    written: list[str] = []
    length = 0
    for part in parts:
        written.append(part if isinstance(part, str) else interpreter.shown(interpreter.run(part)))
        length += len(written[-1])
        check_text(length)
    return RubyString("".join(written))


def _regexp(interpreter: Interpreter, node: RegexpLiteral) -> Regexp:
    return interpreter.builtins.regexp(_text(interpreter, node.source), node.flags)


def _shell(interpreter: Interpreter, node: Shell) -> str:
    line = _text(interpreter, node.line)
    interpreter.offset = node.offset
    output = interpreter.builtins.run(str(line))
    if missing := not_started(interpreter.builtins, str(line)):
        raise missing
    return RubyString(output)


def _list(interpreter: Interpreter, node: ListLiteral) -> list[Any]:
    values = interpreter.items(node.items)
    interpreter.charge(values)
    return values


def _map(interpreter: Interpreter, node: MapLiteral) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, value in node.pairs:
        if key is None:
            inner = interpreter.value(value)
            if not isinstance(inner, dict):
                raise RubyError(f"no implicit conversion of {inspected(inner)} into Hash", "TypeError")
            result |= inner
        else:
            store(result, interpreter.value(key), interpreter.value(value))
    return result


def _range(interpreter: Interpreter, node: RangeLiteral) -> Range:
    first = None if node.first is None else interpreter.value(node.first)
    last = None if node.last is None else interpreter.value(node.last)
    interpreter.offset = node.offset
    if first is not None and last is not None and ordered(first, last) is None:
        raise RubyError("bad value for range", "ArgumentError")
    return Range(first, last, node.exclusive)


def _variable(interpreter: Interpreter, node: Variable) -> Any:
    name = node.name
    if name[0] == "@":
        return latest(interpreter.builtins.main.variables.get(name))
    if name[0] == "$":
        return interpreter.builtins.global_variable(name, interpreter)
    if interpreter.scope.holder(name) is not None:
        return interpreter.scope.get(name)
    return None if node.assigned else call_function(interpreter, name, [], {}, None, plain=True)


def _constant(interpreter: Interpreter, node: Constant) -> Any:
    return latest(interpreter.builtins.constant(node.name))


def _unary(interpreter: Interpreter, node: Unary) -> Any:
    operand = interpreter.value(node.operand)
    interpreter.offset = node.offset
    if node.operator == "!":
        return not true(operand)
    if node.operator == "+" and isinstance(operand, str | int | float):
        return operand
    if node.operator == "-" and isinstance(operand, str):
        return operand
    if node.operator == "~":
        raise Unsupported("the operator ~")
    return operate(node.operator, 0, operand)


def _binary(interpreter: Interpreter, node: Binary) -> Any:
    """Evaluate a chain such as `a + b + c` from its left end without recursion, however long it is."""
    chain: list[Binary] = []
    leftmost: Expression = node
    while isinstance(leftmost, Binary):
        chain.append(leftmost)
        leftmost = leftmost.left
    value = interpreter.value(leftmost)
    for link in reversed(chain):
        if link.operator in ("||", "&&"):
            value = value if true(value) is (link.operator == "||") else interpreter.value(link.right)
            continue
        right = interpreter.value(link.right)
        interpreter.offset = link.offset
        if link.operator == "<<":
            appended = operate("<<", value, right)
            value = change(value, interpreter.charge(appended)) if isinstance(value, str) else appended
        else:
            interpreter.charge(value)
            interpreter.charge(right)
            value = interpreter.charge(operate(link.operator, value, right))
    return value


def _defined(interpreter: Interpreter, node: Defined) -> Any:
    from pykamal.erb.defined import defined

    return defined(interpreter, node.value)


_EVALUATIONS: dict[type[Any], Callable[[Interpreter, Any], Any]] = {
    Literal: lambda _, node: node.value,
    Text: _text,
    RegexpLiteral: _regexp,
    SymbolLiteral: lambda interpreter, node: Symbol(str(_text(interpreter, node.name))),
    Shell: _shell,
    ListLiteral: _list,
    MapLiteral: _map,
    BareMap: _map,
    RangeLiteral: _range,
    Variable: _variable,
    Constant: _constant,
    Lambda: lambda interpreter, node: interpreter.proc(node.block, strict=node.strict),
    Unary: _unary,
    Binary: _binary,
    Defined: _defined,
    Sequence: lambda interpreter, node: interpreter.run(node.body),
    **CALLS,
    **ASSIGNMENTS,
    **CONTROL,
}
