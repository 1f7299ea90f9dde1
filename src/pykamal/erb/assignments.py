"""Assigns values to variables, to places in arrays and hashes, and to ENV."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pykamal.erb.ast import Assignment, Call, Constant, Expression, ListLiteral, MultipleAssignment, Splat, Variable
from pykamal.erb.budget import check_items
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.hashes import store
from pykamal.erb.operators import operate
from pykamal.erb.strings import with_part
from pykamal.erb.values import Range, RubyString, change, class_name, true

if TYPE_CHECKING:
    from pykamal.erb.interpreter import Interpreter


def _assignment(interpreter: Interpreter, node: Assignment) -> Any:
    target, operator = node.target, node.operator
    if operator in ("||=", "&&="):
        before = _before(interpreter, target)
        if true(before) is (operator == "||="):
            return before
        value = interpreter.value(node.value)
    elif operator == "=":
        value = interpreter.value(node.value)
    else:
        before = _before(interpreter, target)
        right = interpreter.value(node.value)
        interpreter.offset = node.offset
        interpreter.charge(before)
        value = interpreter.charge(operate(operator[:-1], before, right))
    interpreter.offset = node.offset
    assign(interpreter, target, value)
    return value


def _before(interpreter: Interpreter, target: Expression) -> Any:
    """Return the present value of a target, nil where it has none."""
    if isinstance(target, Constant):
        return interpreter.builtins.main.constants.get(target.name)
    if isinstance(target, Variable) and target.name[0] not in "@$":
        return interpreter.scope.get(target.name) if interpreter.scope.holder(target.name) else None
    return interpreter.value(target)


def assign(interpreter: Interpreter, target: Expression, value: Any) -> None:
    builtins = interpreter.builtins
    match target:
        case ListLiteral(items=targets):
            assign_all(interpreter, targets, value)
        case Variable(name=name) if name[0] == "@":
            builtins.main.variables[name] = value
        case Variable(name=name):
            interpreter.scope.set(name, value)
        case Constant(name=name):
            builtins.main.constants[name] = value
        case Call(receiver=Constant(name="ENV"), name="[]", arguments=(key,)):
            builtins.set_variable(interpreter.value(key), value)
        case Call(receiver=receiver, name="[]", arguments=(key,)) if receiver is not None:
            _assign_place(interpreter, interpreter.value(receiver), interpreter.value(key), value)
        case _:
            raise Unsupported("this assignment")


def _assign_place(interpreter: Interpreter, container: Any, key: Any, value: Any) -> None:
    if isinstance(container, dict):
        store(container, key, value)
    elif isinstance(container, list) and isinstance(key, int) and not isinstance(key, bool):
        index = key if key >= 0 else key + len(container)
        if index < 0:
            message = f"index {key} too small for array; minimum: -{len(container)}"
            raise RubyError(message, "IndexError")
        check_items(index + 1)
        container += [None] * (index + 1 - len(container))
        container[index] = value
    elif isinstance(container, RubyString):
        change(container, interpreter.charge(with_part(container, key, value)))
    elif container is None:
        raise RubyError("undefined method `[]=' for nil", "NoMethodError")
    else:
        raise Unsupported(f"assigning into a value of the class {class_name(container)}")


def _multiple(interpreter: Interpreter, node: MultipleAssignment) -> Any:
    value = interpreter.value(node.value)
    assign_all(interpreter, node.targets, value)
    return value


def assign_all(interpreter: Interpreter, targets: tuple[Expression, ...], value: Any) -> None:
    """Assign a list to several targets; `*rest` takes the items that remain."""
    if len(targets) == 1 and not isinstance(targets[0], Splat):
        assign(interpreter, targets[0], value[0] if isinstance(value, list) and value else value)
        return
    values = value.items() if isinstance(value, Range) else list(value) if isinstance(value, list) else [value]
    position = 0
    for index, target in enumerate(targets):
        if isinstance(target, Splat):
            count = max(0, len(values) - position - (len(targets) - index - 1))
            assign(interpreter, target.value, values[position : position + count])
            position += count
        else:
            assign(interpreter, target, values[position] if position < len(values) else None)
            position += 1


ASSIGNMENTS: Final[dict[type[Any], Callable[[Interpreter, Any], Any]]] = {
    Assignment: _assignment,
    MultipleAssignment: _multiple,
}
