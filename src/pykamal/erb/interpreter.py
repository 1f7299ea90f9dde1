"""Running a template's program, step by step, with nothing in reach but what the tables of methods name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb import methods
from pykamal.erb.ast import (
    Assignment,
    Binary,
    Block,
    Body,
    Call,
    Case,
    Condition,
    Constant,
    Expression,
    ListLiteral,
    Literal,
    MapLiteral,
    Output,
    RangeLiteral,
    Shell,
    Splat,
    Statement,
    SymbolLiteral,
    Text,
    Unary,
    Variable,
    Verbatim,
)
from pykamal.erb.builtins import Builtins
from pykamal.erb.errors import RubyError, TemplateError, unsupported
from pykamal.erb.indexing import MAXIMUM_FILE_BYTES, MAXIMUM_ITEMS, MAXIMUM_TEXT
from pykamal.erb.operators import OPERATORS, covers
from pykamal.erb.rendered import Piece
from pykamal.erb.strings import formatted
from pykamal.erb.system import CommandRefused
from pykamal.erb.values import kind, text, true, weight

MAXIMUM_STEPS: Final = 50_000
MAXIMUM_WORK: Final = 2_000_000
"""Of texts and lists gone through, sixteen characters or one item a unit."""

MAXIMUM_DEPTH: Final = 50
_ENDLESS: Final = 2**40
_RUBY_FAULTS: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, OSError)


@dataclass(slots=True)
class _Scope:
    """Local variables; a block sees those around it."""

    variables: dict[str, Any] = field(default_factory=dict)
    outer: _Scope | None = None

    def holder(self, name: str) -> _Scope | None:
        scope: _Scope | None = self
        while scope is not None and name not in scope.variables:
            scope = scope.outer
        return scope

    def set(self, name: str, value: Any) -> None:
        (self.holder(name) or self).variables[name] = value


class Interpreter:
    """`chunks` and `pieces` are the text written so far and where each part of it came from."""

    def __init__(self, builtins: Builtins) -> None:
        self.chunks: list[str] = []
        self.pieces: list[Piece] = []
        self._builtins = builtins
        self._scope = _Scope()
        self._length = 0
        self._steps = 0
        self._work = 0
        self._depth = 0
        self._evaluations: dict[type[Any], Callable[[Any], Any]] = {
            Literal: lambda node: node.value,
            Text: self._text,
            SymbolLiteral: lambda node: Symbol(self._text(node.name)),
            Shell: self._shell,
            ListLiteral: lambda node: self._values(node.items),
            MapLiteral: lambda node: {self._key(key): self._value(value) for key, value in node.pairs},
            RangeLiteral: self._range,
            Variable: self._variable,
            Constant: self._constant,
            Call: self._call,
            Unary: self._unary,
            Binary: self._binary,
            Condition: lambda node: self.run(node.then if true(self._value(node.test)) else node.otherwise),
            Case: self._case,
            Assignment: self._assignment,
        }

    def run(self, body: Body) -> Any:
        """The value of the last statement. Raises TemplateError."""
        value: Any = None
        for statement in body:
            value = self._statement(statement)
        return value

    def _statement(self, statement: Statement) -> Any:
        match statement:
            case Verbatim(text=verbatim, offset=offset):
                self._write(verbatim, offset, literal=True)
            case Output(code=code, offset=offset):
                self._write(self._shown(self.run(code), offset), offset, literal=False)
            case _:
                return self._value(statement)
        return None

    def _step(self, offset: int) -> None:
        self._steps += 1
        if self._steps > MAXIMUM_STEPS:
            raise TemplateError(f"the template takes more than {MAXIMUM_STEPS} steps", offset)

    def _write(self, content: str, offset: int, *, literal: bool) -> None:
        self._step(offset)
        self.pieces.append(Piece(self._length, offset, literal))
        self.chunks.append(content)
        self._length += len(content)
        if self._length > MAXIMUM_FILE_BYTES:
            raise TemplateError(f"the template renders to more than {MAXIMUM_FILE_BYTES} characters", offset)

    # -- values

    def _value(self, node: Expression) -> Any:
        self._step(node.offset)
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise TemplateError("code is nested too deeply", node.offset)
        value = self._evaluations[type(node)](node)
        self._depth -= 1
        return value

    def _charge(self, value: Any, offset: int) -> Any:
        """The value, once what there is of it has been counted."""
        try:
            self._work += weight(value, MAXIMUM_WORK)
        except ValueError:
            raise TemplateError("a value is nested too deeply", offset) from None
        if self._work > MAXIMUM_WORK:
            raise TemplateError("the template works on too much data", offset)
        return value

    def _shown(self, value: Any, offset: int) -> str:
        return text(self._charge(value, offset))

    def _text(self, node: Text) -> str:
        shown = (part if isinstance(part, str) else self._shown(self._value(part), node.offset) for part in node.parts)
        result = "".join(shown)
        if len(result) > MAXIMUM_TEXT:
            raise TemplateError("a text becomes too long", node.offset)
        return result

    def _shell(self, node: Shell) -> str:
        try:
            return self._builtins.system.run_shell(self._text(node.line), self._builtins.environment)
        except CommandRefused as refused:
            raise _command_refused(refused, node.offset) from None

    def _values(self, nodes: tuple[Expression, ...]) -> list[Any]:
        values: list[Any] = []
        for node in nodes:
            if isinstance(node, Splat):
                values += self._listed(self._value(node.value), node.offset)
            else:
                values.append(self._value(node))
        return self._charge(values, node.offset) if nodes else values

    def _listed(self, value: Any, offset: int) -> list[Any]:
        """What `*value` and `Array(value)` stand for."""
        if isinstance(value, range):
            if len(value) > MAXIMUM_ITEMS:
                raise TemplateError(f"a list of more than {MAXIMUM_ITEMS} items", offset)
            return list(value)
        if isinstance(value, dict):
            return [[key, item] for key, item in value.items()]
        return value if isinstance(value, list) else [] if value is None else [value]

    def _key(self, node: Expression) -> Any:
        key = self._value(node)
        if isinstance(key, list | dict):
            raise unsupported("a list or a map as key", node.offset)
        return key

    def _range(self, node: RangeLiteral) -> Any:
        first = self._value(node.first)
        last = _ENDLESS if node.last is None else self._value(node.last)
        if not (isinstance(first, int) and isinstance(last, int)):
            raise unsupported("a range that is not of numbers", node.offset)
        stop = last if node.exclusive else last + 1
        if stop - first > MAXIMUM_ITEMS and node.last is not None:
            raise TemplateError(f"a range of more than {MAXIMUM_ITEMS} numbers", node.offset)
        return range(first, stop)

    def _variable(self, node: Variable) -> Any:
        holder = self._scope.holder(node.name)
        if holder is not None:
            return holder.variables[node.name]
        raise TemplateError(
            f"undefined local variable or method `{node.name}' for main", node.offset, label="NameError"
        )

    def _constant(self, node: Constant) -> Any:
        if self._builtins.knows(node.name):
            raise unsupported(f"{node.name} without a method", node.offset)
        raise self._unknown_constant(node.name, node.offset)

    def _unary(self, node: Unary) -> Any:
        operand = self._value(node.operand)
        return not true(operand) if node.operator == "!" else self._arithmetic("-", 0, operand, node.offset)

    def _unknown_constant(self, name: str, offset: int) -> TemplateError:
        error = unsupported(f"the constant {name}", offset)
        error.label = "NameError"
        return error

    def _binary(self, node: Binary) -> Any:
        """A chain such as `a + b + c` is walked from its left end, however long it is."""
        chain: list[Binary] = []
        leftmost: Expression = node
        while isinstance(leftmost, Binary):
            chain.append(leftmost)
            leftmost = leftmost.left
        value = self._value(leftmost)
        for link in reversed(chain):
            if link.operator in ("||", "&&"):
                value = value if true(value) is (link.operator == "||") else self._value(link.right)
            else:
                value = self._arithmetic(link.operator, value, self._value(link.right), link.offset)
        return value

    def _arithmetic(self, operator: str, left: Any, right: Any, offset: int) -> Any:
        function = OPERATORS.get(operator)
        if function is None:
            raise unsupported(f"the operator {operator}", offset)
        self._charge(left, offset)
        self._charge(right, offset)
        try:
            return self._charge(function(left, right), offset)
        except _RUBY_FAULTS:
            message = f"{operator} cannot be used with {kind(left)} and {kind(right)}"
            raise TemplateError(message, offset, label="TypeError") from None

    def _case(self, node: Case) -> Any:
        """Without a subject the first test that is true; else the first that covers the subject."""
        subject = None if node.subject is None else self._value(node.subject)
        for tests, body in node.branches:
            values = (self._value(test) for test in tests)
            if any(true(value) if node.subject is None else covers(value, subject) for value in values):
                return self.run(body)
        return self.run(node.otherwise)

    def _assignment(self, node: Assignment) -> Any:
        target = node.target
        if node.operator in ("||=", "&&="):
            before = self._before(target)
            if true(before) is (node.operator == "||="):
                return before
            value = self._value(node.value)
        else:
            value = self._value(node.value)
            if node.operator != "=":
                value = self._arithmetic(node.operator[0], self._before(target), value, node.offset)
        self._assign(target, value, node.offset)
        return value

    def _before(self, target: Expression) -> Any:
        if isinstance(target, Variable) and self._scope.holder(target.name) is None:
            return None
        return self._value(target)

    def _assign(self, target: Expression, value: Any, offset: int) -> None:
        match target:
            case Variable(name=name):
                self._scope.set(name, value)
            case Call(receiver=Constant(name="ENV"), name="[]", arguments=(key,)):
                try:
                    self._builtins.set_variable(self._value(key), value)
                except RubyError as failure:
                    raise TemplateError(failure.message, offset, label=failure.label) from None
            case Call(receiver=receiver, name="[]", arguments=(key,)) if receiver is not None:
                container = self._value(receiver)
                if not isinstance(container, dict):
                    raise unsupported("assigning into anything but a map or ENV", offset)
                container[self._key(key)] = value
            case _:
                raise unsupported("this assignment", offset)

    # -- calls

    def _call(self, node: Call) -> Any:
        if node.receiver is None:
            return self._plain_call(node)
        if isinstance(node.receiver, Constant):
            return self._constant_call(node.receiver.name, node)
        return self._method_call(node)

    def _plain_call(self, node: Call) -> Any:
        arguments = [self._value(argument) for argument in node.arguments]
        match node.name, arguments:
            case "require", [str() as library]:
                done = self._builtins.require(library)
                if done is None:
                    raise unsupported(f'require "{library}"', node.offset)
                return done
            case "raise" | "abort", [*_, message]:
                raise TemplateError(text(message), node.offset, label="RuntimeError")
            case "Integer", [value]:
                return self._invoked(int, [text(value)], {}, node)
            case "Array", [value]:
                return self._listed(value, node.offset)
            case "String", [value]:
                return text(value)
            case "sprintf" | "format", [str() as form, *values]:
                return self._invoked(formatted, [form, *values], {}, node)
        raise unsupported(f"`{node.name}`", node.offset)

    def _constant_call(self, constant: str, node: Call) -> Any:
        function = self._builtins.function(constant, node.name)
        if function is None:
            if not self._builtins.knows(constant):
                raise self._unknown_constant(constant, node.offset)
            raise unsupported(f"{constant}.{node.name}", node.offset)
        arguments = self._values(node.arguments)
        keywords = {name: self._value(value) for name, value in node.keywords}
        if node.block is not None:
            keywords["block"] = self._callable(node.block)
        return self._invoked(function, arguments, keywords, node)

    def _method_call(self, node: Call) -> Any:
        assert node.receiver is not None, "the caller has seen to it"
        receiver = self._value(node.receiver)
        if receiver is None and node.safe:
            return None
        if isinstance(receiver, range) and node.name not in ("to_s", "inspect"):
            if len(receiver) > MAXIMUM_ITEMS:
                raise unsupported("a range without an end, outside of an index,", node.offset)
            receiver = list(receiver)
        function = methods.find(receiver, node.name)
        if function is None:
            raise self._no_method(receiver, node)
        arguments = [receiver, *self._values(node.arguments)]
        if node.keywords:  # a method that names none of its own takes them as one map
            arguments.append({Symbol(name): self._value(value) for name, value in node.keywords})
        keywords = {} if node.block is None else {"block": self._callable(node.block)}
        return self._invoked(function, arguments, keywords, node)

    def _no_method(self, receiver: Any, node: Call) -> TemplateError:
        if receiver is None:
            message = f"undefined method `{node.name}' for nil"
            hint = "A variable that is not set is nil; ENV.fetch names the missing one."
            return TemplateError(message, node.offset, label="NoMethodError", hint=hint)
        return unsupported(f"the method {node.name} of {kind(receiver)}", node.offset)

    def _invoked(self, function: Callable[..., Any], arguments: list[Any], keywords: dict[str, Any], node: Call) -> Any:
        for argument in arguments:
            self._charge(argument, node.offset)
        try:
            result = function(*arguments, **keywords)
        except RubyError as failure:
            raise TemplateError(failure.message, node.offset, label=failure.label) from None
        except CommandRefused as refused:
            raise _command_refused(refused, node.offset) from None
        except KeyError as error:
            raise TemplateError(str(error.args[0]), node.offset, label="KeyError") from None
        except _RUBY_FAULTS:
            message = f"{node.name} cannot be called like this"
            raise TemplateError(message, node.offset, label="ArgumentError") from None
        return self._charge(result, node.offset)

    def _callable(self, block: Block) -> Callable[..., Any]:
        around = self._scope

        def call(*values: Any) -> Any:
            given = list(values)
            if len(block.parameters) > 1 and len(given) == 1 and isinstance(given[0], list):
                given = _taken_apart(given[0], len(block.parameters))
            named = {name: given[index] if index < len(given) else None for index, name in enumerate(block.parameters)}
            before, self._scope = self._scope, _Scope(named, around)
            try:
                return self.run(block.body)
            finally:
                self._scope = before

        return call


def _command_refused(refused: CommandRefused, offset: int) -> TemplateError:
    hint = "Nothing of this file is run here: read the value from an environment variable, or load the file elsewhere."
    return TemplateError(str(refused), offset, label="CommandRefused", hint=hint)


def _taken_apart(values: list[Any], count: int) -> list[Any]:
    """`|(key, value), index|` is given as a list whose first item is a list itself."""
    if len(values) < count and values and isinstance(values[0], list):
        return [*values[0], *values[1:]]
    return values
