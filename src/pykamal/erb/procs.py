"""Blocks, lambdas and methods of a template, and the binding of their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykamal.core.ruby import Symbol
from pykamal.erb.ast import Block, Parameter
from pykamal.erb.errors import RubyError
from pykamal.erb.scope import Frame, Scope
from pykamal.erb.values import inspected

if TYPE_CHECKING:
    from pykamal.erb.interpreter import Interpreter


class Jumped(Exception):
    """Control flow of `next`, `break` or `return` on its way out.

    `frame` is that of its code; `owner` the block that a `break` leaves, once it is known.
    """

    def __init__(self, kind: str, value: Any, frame: Frame) -> None:
        super().__init__(kind)
        self.kind = kind
        self.value = value
        self.frame = frame
        self.owner: Proc | None = None


class Proc:
    """A block or a lambda with the variables around it. Calling it runs it."""

    CLASS = "Proc"

    def __init__(self, interpreter: Interpreter, block: Block, around: Scope, *, strict: bool = False) -> None:
        self._interpreter = interpreter
        self.block = block
        self._around = around
        self.strict = strict
        only = block.parameters[0] if len(block.parameters) == 1 else None
        self._only = only.name if only is not None and only.kind == "required" and not only.nested else None

    @property
    def arity(self) -> int:
        required = sum(each.kind == "required" for each in self.block.parameters)
        open_ended = any(each.kind in ("optional", "rest") for each in self.block.parameters)
        return -required - 1 if open_ended else required

    def __call__(self, *values: Any, **keywords: Any) -> Any:
        frame = Frame(self._around.frame.block) if self.strict else self._around.frame
        scope = Scope({}, self._around, frame)
        if self._only is not None and len(values) == 1 and not keywords:
            scope.variables[self._only] = self._interpreter.owned(values[0])
        else:
            given = [self._interpreter.owned(value) for value in values]
            bind(self._interpreter, scope, self.block.parameters, given, keywords, strict=self.strict)
        self._interpreter.budget.step()
        depth = self._interpreter.depth
        try:
            return self._interpreter.in_scope(scope, self.block.body)
        except Jumped as jump:
            self._interpreter.depth = depth
            leaves = jump.kind == "next" or (self.strict and (jump.kind == "break" or jump.frame is frame))
            if leaves and jump.owner is None:
                return jump.value
            if jump.kind == "break" and jump.owner is None:
                jump.owner = self
            raise


class NamedMethod:
    """A method as a block: `&:name` and `method(:name)`."""

    CLASS = "Proc"
    arity = -2

    def __init__(self, interpreter: Interpreter, name: str, *, own: bool = False) -> None:
        self._interpreter = interpreter
        self._name = name
        self._own = own

    def __call__(self, *values: Any) -> Any:
        self._interpreter.budget.step()
        if self._own:
            return self._interpreter.call_function(self._name, list(values))
        if not values:
            raise RubyError("no receiver given", "ArgumentError")
        return self._interpreter.send(values[0], self._name, list(values[1:]))


def bind(
    interpreter: Interpreter,
    scope: Scope,
    parameters: tuple[Parameter, ...],
    values: list[Any],
    keywords: dict[str, Any],
    *,
    strict: bool,
) -> None:
    """Bind the parameters of a call. A block takes a single list apart and accepts missing or extra arguments."""
    positional = [each for each in parameters if each.kind in ("required", "optional", "rest")]
    named = [each for each in parameters if each.kind in ("key", "keys")]
    if keywords and not named:
        values = [*values, {Symbol(name): value for name, value in keywords.items()}]
        keywords = {}
    splat = any(each.kind == "rest" for each in positional)
    if not strict and len(positional) > 1 and len(values) == 1 and isinstance(values[0], list):
        values = list(values[0])
    required = sum(each.kind == "required" for each in positional)
    if strict and (len(values) < required or (not splat and len(values) > len(positional))):
        most = "+" if splat else f"..{len(positional)}" if len(positional) > required else ""
        message = f"wrong number of arguments (given {len(values)}, expected {required}{most})"
        raise RubyError(message, "ArgumentError")
    _bind_positional(interpreter, scope, positional, values, required)
    _bind_named(interpreter, scope, named, keywords, strict=strict)
    for parameter in parameters:
        if parameter.kind == "block" and parameter.name:
            scope.variables[parameter.name] = scope.frame.block


def _bind_positional(
    interpreter: Interpreter, scope: Scope, parameters: list[Parameter], values: list[Any], required: int
) -> None:
    spare = max(0, len(values) - required)
    position = 0
    for index, parameter in enumerate(parameters):
        if parameter.kind == "rest":
            behind = sum(each.kind == "required" for each in parameters[index + 1 :])
            count = max(0, len(values) - position - behind)
            if parameter.name:
                scope.variables[parameter.name] = values[position : position + count]
            position += count
            continue
        if parameter.kind == "optional":
            if spare == 0:
                scope.variables[parameter.name] = _default(interpreter, scope, parameter)
                continue
            spare -= 1
        value = values[position] if position < len(values) else None
        position += 1
        if parameter.nested:
            inner = list(value) if isinstance(value, list) else [value]
            _bind_positional(interpreter, scope, list(parameter.nested), inner, len(parameter.nested))
        else:
            scope.variables[parameter.name] = value


def _bind_named(
    interpreter: Interpreter, scope: Scope, parameters: list[Parameter], keywords: dict[str, Any], *, strict: bool
) -> None:
    rest = dict(keywords)
    for parameter in parameters:
        if parameter.kind == "keys":
            if parameter.name:
                scope.variables[parameter.name] = {Symbol(name): value for name, value in rest.items()}
            rest = {}
        elif parameter.name in rest:
            scope.variables[parameter.name] = rest.pop(parameter.name)
        elif parameter.default is None:
            raise RubyError(f"missing keyword: :{parameter.name}", "ArgumentError")
        else:
            scope.variables[parameter.name] = _default(interpreter, scope, parameter)
    if rest and strict:
        raise RubyError(f"unknown keyword: {inspected(Symbol(next(iter(rest))))}", "ArgumentError")


def _default(interpreter: Interpreter, scope: Scope, parameter: Parameter) -> Any:
    return None if parameter.default is None else interpreter.in_scope(scope, (parameter.default,))
