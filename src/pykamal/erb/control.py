"""Evaluates conditions, loops, `rescue`, jumps and definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.assignments import assign, assign_all
from pykamal.erb.ast import Begin, Body, Case, Condition, Definition, For, Jump, Loop, Rescue, Splat, Yield
from pykamal.erb.budget import check_items
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.exceptions import catches
from pykamal.erb.operators import covers
from pykamal.erb.procs import Jumped
from pykamal.erb.values import ClassValue, ExceptionValue, Range, true

if TYPE_CHECKING:
    from pykamal.erb.interpreter import Interpreter


def _condition(interpreter: Interpreter, node: Condition) -> Any:
    return interpreter.run(node.then if true(interpreter.value(node.test)) else node.otherwise)


def _case(interpreter: Interpreter, node: Case) -> Any:
    """Evaluate a `case`: the first test that covers the subject, or without one the first that is true."""
    subject = None if node.subject is None else interpreter.value(node.subject)
    for tests, body in node.branches:
        for test in tests:
            values = interpreter.items((test,)) if isinstance(test, Splat) else [interpreter.value(test)]
            interpreter.offset = test.offset
            if any(true(value) if node.subject is None else covers(value, subject) for value in values):
                return interpreter.run(body)
    return interpreter.run(node.otherwise)


def _loop(interpreter: Interpreter, node: Loop) -> Any:
    checks = not node.first
    while True:
        if checks and true(interpreter.value(node.test)) is not node.wanted:
            return None
        checks = True
        ended = _turn(interpreter, node.body)
        if ended is not None:
            return ended.value


def _turn(interpreter: Interpreter, body: Body) -> Jumped | None:
    """Run one turn of a loop; return the `break` that ended the loop, if any."""
    depth = interpreter.depth
    try:
        interpreter.budget.step()
        interpreter.run(body)
    except Jumped as jump:
        interpreter.depth = depth
        if jump.owner is not None or jump.kind not in ("next", "break"):
            raise
        return jump if jump.kind == "break" else None
    return None


def _for(interpreter: Interpreter, node: For) -> Any:
    items = interpreter.value(node.items)
    for item in _each(items):
        if len(node.targets) == 1:
            assign(interpreter, node.targets[0], item)
        else:
            assign_all(interpreter, node.targets, item)
        ended = _turn(interpreter, node.body)
        if ended is not None:
            return ended.value
    return items


def _each(items: Any) -> list[Any]:
    if isinstance(items, Range):
        return items.items()
    if isinstance(items, dict):
        return [[key, value] for key, value in items.items()]
    if isinstance(items, list):
        check_items(len(items))
        return list(items)
    raise Unsupported("`for` over anything but a list, a map or a range")


def _begin(interpreter: Interpreter, node: Begin) -> Any:
    depth, scope = interpreter.depth, interpreter.scope
    try:
        while True:
            try:
                return _attempt(interpreter, node)
            except Jumped as jump:
                if jump.kind != "retry":
                    raise
                interpreter.depth, interpreter.scope = depth, scope
                interpreter.budget.step()
    finally:
        if node.ensure:
            offset = interpreter.offset
            interpreter.run(node.ensure)
            interpreter.offset = offset


def _attempt(interpreter: Interpreter, node: Begin) -> Any:
    depth, scope = interpreter.depth, interpreter.scope
    interpreter.guarded += bool(node.rescues)
    try:
        value = interpreter.run(node.body)
    except RubyError as error:
        raised, rescue = _rescued(interpreter, node.rescues, error)
        if rescue is None:
            raise
        interpreter.depth, interpreter.scope = depth, scope
    else:
        return interpreter.run(node.otherwise) if node.otherwise else value
    finally:
        interpreter.guarded -= bool(node.rescues)
    before, interpreter.error = interpreter.error, raised
    if rescue.target is not None:
        assign(interpreter, rescue.target, raised)
    value = interpreter.run(rescue.body)
    interpreter.error = before
    return value


def _rescued(
    interpreter: Interpreter, rescues: tuple[Rescue, ...], error: RubyError
) -> tuple[ExceptionValue, Rescue | None]:
    raised = error.value or ExceptionValue(error.label, error.message)
    for rescue in rescues:
        classes = interpreter.items(rescue.classes) if rescue.classes else [ClassValue("StandardError")]
        for wanted in classes:
            if not isinstance(wanted, ClassValue):
                raise RubyError("class or module required for rescue clause", "TypeError")
            if catches(wanted.name, raised.kind):
                return raised, rescue
    return raised, None


def _jump(interpreter: Interpreter, node: Jump) -> Any:
    value = None if node.value is None else interpreter.value(node.value)
    if node.kind == "return" and interpreter.scope.frame is interpreter.root_frame:
        raise Unsupported("`return` outside of a method")
    raise Jumped(node.kind, value, interpreter.scope.frame)


def _yield(interpreter: Interpreter, node: Yield) -> Any:
    block = interpreter.scope.frame.block
    if block is None:
        raise RubyError("no block given (yield)", "LocalJumpError")
    return block(*interpreter.items(node.arguments))


def _definition(interpreter: Interpreter, node: Definition) -> Symbol:
    interpreter.builtins.main.methods[node.name] = node.block
    return Symbol(node.name)


CONTROL: Final[dict[type[Any], Callable[[Interpreter, Any], Any]]] = {
    Condition: _condition,
    Case: _case,
    Loop: _loop,
    For: _for,
    Begin: _begin,
    Jump: _jump,
    Yield: _yield,
    Definition: _definition,
}
