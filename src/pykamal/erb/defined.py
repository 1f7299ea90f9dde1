"""Evaluates `defined?(...)`: the kind of an expression, nil for an undefined one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykamal.erb.ast import Call, Constant, Expression, Sequence, Variable
from pykamal.erb.errors import RubyError, Unsupported

if TYPE_CHECKING:
    from pykamal.erb.interpreter import Interpreter


def defined(interpreter: Interpreter, node: Expression) -> str | None:
    """Return the kind. Raises Unsupported where only a complete Ruby could decide."""
    match node:
        case Sequence(body=(Call() | Constant() | Variable() as only,)):
            return defined(interpreter, only)
        case Variable(name=name) if name[0] == "@":
            return "instance-variable" if name in interpreter.builtins.main.variables else None
        case Variable(name=name, assigned=True) if name[0] != "$":
            return "local-variable"
        case Variable(name=name) | Call(receiver=None, name=name):
            return "method" if _is_function(interpreter, name) else None
        case Constant(name=name):
            return "constant" if _is_constant(interpreter, name) else None
    return _evaluated(interpreter, node)


def _is_function(interpreter: Interpreter, name: str) -> bool:
    from pykamal.erb.ruby_names import has_function

    builtins = interpreter.builtins
    return name in builtins.main.methods or builtins.kernel_function(name) is not None or has_function(name)


def _is_constant(interpreter: Interpreter, name: str) -> bool:
    try:
        interpreter.builtins.constant(name)
    except RubyError:
        return False
    except Unsupported:  # Ruby has it
        return True
    return True


def _evaluated(interpreter: Interpreter, node: Any) -> str | None:
    try:
        interpreter.value(node)
    except RubyError:
        return None
    return "method" if isinstance(node, Call) else "expression"
