"""Giving values to variables, to places in lists and maps, and to ENV."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pykamal.erb.ast import (
    Assignment,
    Binary,
    Call,
    Constant,
    Expression,
    ListLiteral,
    MultipleAssignment,
    Shell,
    Splat,
    Text,
    Unary,
    Variable,
)
from pykamal.erb.budget import check_items
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.operators import operate
from pykamal.erb.values import Range, class_name, true
from pykamal.erb.words import words

if TYPE_CHECKING:
    from pykamal.erb.interpreter import Interpreter

_FRESH: Final = frozenset(
    words("dup clone + join read strip lstrip rstrip chomp chop downcase upcase capitalize gsub sub tr new to_json")
)
"""Methods whose text is a new one, which nothing else holds."""


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
    shared = isinstance(value, str) and isinstance(node.value, Variable)
    if shared and isinstance(node.value, Variable) and (holder := interpreter.scope.holder(node.value.name)):
        holder.shared |= {node.value.name}
    assign(interpreter, target, value, shared=shared)
    return value


def _before(interpreter: Interpreter, target: Expression) -> Any:
    """The value of a target that may not be there yet."""
    if isinstance(target, Constant):
        return interpreter.builtins.main.constants.get(target.name)
    if isinstance(target, Variable) and target.name[0] not in "@$":
        return interpreter.scope.get(target.name)
    return interpreter.value(target)


def assign(interpreter: Interpreter, target: Expression, value: Any, *, shared: bool = False) -> None:
    builtins = interpreter.builtins
    match target:
        case ListLiteral(items=targets):
            assign_all(interpreter, targets, value)
        case Variable(name=name) if name[0] == "@":
            builtins.main.variables[name] = value
            (builtins.main.shared.add if shared else builtins.main.shared.discard)(name)
        case Variable(name=name):
            interpreter.scope.set(name, value, shared=shared)
        case Constant(name=name):
            builtins.main.constants[name] = value
        case Call(receiver=Constant(name="ENV"), name="[]", arguments=(key,)):
            builtins.set_variable(interpreter.value(key), value)
        case Call(receiver=receiver, name="[]", arguments=(key,)) if receiver is not None:
            _assign_place(interpreter.value(receiver), interpreter.value(key), value)
        case _:
            raise Unsupported("this assignment")


def _assign_place(container: Any, key: Any, value: Any) -> None:
    if isinstance(container, dict):
        if isinstance(key, list | dict):
            raise Unsupported("a list or a map as key")
        check_items(len(container) + 1)
        container[key] = value
    elif isinstance(container, list) and isinstance(key, int) and not isinstance(key, bool):
        index = key if key >= 0 else key + len(container)
        if index < 0:
            message = f"index {key} too small for array; minimum: -{len(container)}"
            raise RubyError(message, "IndexError")
        check_items(index + 1)
        container += [None] * (index + 1 - len(container))
        container[index] = value
    elif container is None:
        raise RubyError("undefined method `[]=' for nil", "NoMethodError")
    else:
        raise Unsupported(f"assigning into a value of the class {class_name(container)}")


def _multiple(interpreter: Interpreter, node: MultipleAssignment) -> Any:
    value = interpreter.value(node.value)
    assign_all(interpreter, node.targets, value)
    return value


def assign_all(interpreter: Interpreter, targets: tuple[Expression, ...], value: Any) -> None:
    """A list is spread over several targets; `*rest` takes what the others leave."""
    if len(targets) == 1 and not isinstance(targets[0], Splat):
        assign(interpreter, targets[0], value[0] if isinstance(value, list) and value else value, shared=True)
        return
    values = value.items() if isinstance(value, Range) else list(value) if isinstance(value, list) else [value]
    position = 0
    for index, target in enumerate(targets):
        if isinstance(target, Splat):
            count = max(0, len(values) - position - (len(targets) - index - 1))
            assign(interpreter, target.value, values[position : position + count])
            position += count
        else:
            assign(interpreter, target, values[position] if position < len(values) else None, shared=True)
            position += 1


def change_text(interpreter: Interpreter, place: Expression, changed: str) -> None:
    """Gives the place that a text came from the changed one. Ruby changes the text itself, wherever else it is held.

    Raises Unsupported where something else may hold it, for that would keep the old one.
    """
    builtins = interpreter.builtins
    match place:
        case Variable(name=name):
            holder = interpreter.scope.holder(name)
            if name in (builtins.main.shared if holder is None else holder.shared):
                raise Unsupported(f"changing a text in place that is held elsewhere too ({name})", "Write x += y.")
            if name[0] == "@":
                builtins.main.variables[name] = changed
            elif holder is not None:
                holder.variables[name] = changed
        case Call(receiver=Constant(name="ENV")):
            raise RubyError("can't modify frozen String", "FrozenError")
        case Call(name="[]"):
            assign(interpreter, place, changed)
        case Text() | Binary() | Shell() | Unary():
            pass
        case Call(name=name) if name in _FRESH:
            pass
        case _:
            raise Unsupported("changing a text in place that is held elsewhere too", "Write x += y.")


ASSIGNMENTS: Final[dict[type[Any], Callable[[Interpreter, Any], Any]]] = {
    Assignment: _assignment,
    MultipleAssignment: _multiple,
}
