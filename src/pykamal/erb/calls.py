"""Evaluates calls of values' methods, of constants' functions, and of methods without a receiver."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pykamal.core.errors import KamalError
from pykamal.core.ruby import Symbol
from pykamal.erb import methods
from pykamal.erb.ast import Call, Constant
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.operators import OPERATORS, operate
from pykamal.erb.procs import Jumped, NamedMethod, Proc, bind
from pykamal.erb.scope import Frame, Scope
from pykamal.erb.strings import CHANGING, changing
from pykamal.erb.values import ClassValue, Range, RubyString, change, class_name, described, latest, text
from pykamal.erb.word_lists import words

if TYPE_CHECKING:
    from pykamal.erb.interpreter import Interpreter

_PYTHON_FAULTS: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, OSError)
_CHEAP: Final = frozenset(
    words("[] first last length size empty? nil? key? has_key? fetch push append pop shift store dig to_sym freeze")
)
"""Methods whose cost does not depend on the size of the receiver."""

_BY_NAME: Final = frozenset(["send", "public_send", "__send__", "try", "try!"])


def _call(interpreter: Interpreter, node: Call) -> Any:
    if node.receiver is None:
        return _function_call(interpreter, node)
    if isinstance(node.receiver, Constant) and not interpreter.builtins.is_defined(node.receiver.name):
        return _constant_call(interpreter, node.receiver.name, node)
    return _method_call(interpreter, node)


def _given(interpreter: Interpreter, node: Call) -> tuple[list[Any], dict[str, Any], Any]:
    """Evaluate the arguments, keywords and block of a call."""
    arguments = interpreter.items(node.arguments) if node.arguments else []
    keywords: dict[str, Any] = {}
    for name, expression in node.keywords:
        value = interpreter.value(expression)
        if name is None:
            keywords |= {text(key): item for key, item in value.items()} if isinstance(value, dict) else {}
        else:
            keywords[name] = value
    block: Any = None
    if node.block is not None:
        block = interpreter.proc(node.block)
    elif node.block_argument is not None:
        block = _as_block(interpreter, interpreter.value(node.block_argument))
    interpreter.offset = node.offset
    return arguments, keywords, block


def _as_block(interpreter: Interpreter, value: Any) -> Any:
    if isinstance(value, Symbol):
        return NamedMethod(interpreter, value.name)
    if value is None or isinstance(value, Proc | NamedMethod):
        return value
    raise RubyError(f"wrong argument type {class_name(value)} (expected Proc)", "TypeError")


def _leaving(interpreter: Interpreter, block: Any, call: Callable[[], Any]) -> Any:
    """Return the value of a call, or of the `break` in its block that ended it."""
    depth, scope = interpreter.depth, interpreter.scope
    try:
        return call()
    except Jumped as jump:
        if jump.kind != "break" or jump.owner is not block or block is None:
            raise
        interpreter.depth, interpreter.scope = depth, scope
        return jump.value


# -- methods of values


def _method_call(interpreter: Interpreter, node: Call) -> Any:
    assert node.receiver is not None, "the caller has seen to it"
    receiver = interpreter.value(node.receiver)
    if receiver is None and node.safe:
        return None
    arguments, keywords, block = _given(interpreter, node)
    if isinstance(receiver, str) and node.name in CHANGING:
        return _changing_call(interpreter, node, receiver, arguments, block)
    return _leaving(
        interpreter, block, lambda: send(interpreter, receiver, node.name, arguments, keywords, block=block)
    )


def _changing_call(interpreter: Interpreter, node: Call, receiver: str, arguments: list[Any], block: Any) -> Any:
    charge_all(interpreter, [receiver, *arguments])
    changed, unchanged = guarded(node.name, lambda: changing(node.name, receiver, arguments, block))
    interpreter.charge(changed)
    return unchanged if changed == receiver else change(receiver, changed)


def send(
    interpreter: Interpreter,
    receiver: Any,
    name: str,
    arguments: list[Any],
    keywords: dict[str, Any] | None = None,
    *,
    block: Any = None,
) -> Any:
    """Call a method. Raises RubyError, and Unsupported for a method of Ruby that this interpreter lacks."""
    if name in _BY_NAME:
        return _send_by_name(interpreter, receiver, name, arguments, keywords, block=block)
    if isinstance(receiver, Proc | NamedMethod) and name in ("call", "()", "yield", "===", "[]"):
        return receiver(*arguments, **(keywords or {})) if isinstance(receiver, Proc) else receiver(*arguments)
    function = methods.find(receiver, name)
    if function is None and isinstance(receiver, Range):
        receiver = receiver.items()
        function = methods.find(receiver, name)
    if function is None:
        if name in OPERATORS and len(arguments) == 1:
            return operate(name, receiver, arguments[0])
        raise no_method(receiver, name)
    if keywords:  # a method that names none of its own takes them as one map
        arguments = [*arguments, {Symbol(key): value for key, value in keywords.items()}]
    charge_all(interpreter, arguments if name in _CHEAP else [receiver, *arguments])
    given = {} if block is None else {"block": block}
    result = guarded(name, lambda: function(receiver, *arguments, **given))
    if isinstance(result, str):
        return latest(result) if isinstance(result, RubyString) else interpreter.charge(result)
    return result if result is receiver or name in _CHEAP else interpreter.charge(result)


def charge_all(interpreter: Interpreter, values: list[Any]) -> None:
    for value in values:
        interpreter.charge(value)


def _send_by_name(
    interpreter: Interpreter,
    receiver: Any,
    name: str,
    arguments: list[Any],
    keywords: dict[str, Any] | None,
    *,
    block: Any,
) -> Any:
    if not arguments or not isinstance(arguments[0], str | Symbol):
        raise Unsupported(f"{name} without a name")
    wanted = str(arguments[0])
    if name == "try" and (receiver is None or not responds(receiver, wanted)):
        return None
    if name == "try!" and receiver is None:
        return None
    if wanted in _BY_NAME:
        raise Unsupported(f"{name} of {wanted}")
    return send(interpreter, receiver, wanted, arguments[1:], keywords, block=block)


def responds(receiver: Any, name: str) -> bool:
    if methods.find(receiver, name) is not None or (isinstance(receiver, Range) and methods.find([], name)):
        return True
    from pykamal.erb.ruby_names import has_method

    if has_method(class_name(receiver), name):
        raise Unsupported(f"the method {name} of {described(receiver)}")
    return False


def no_method(receiver: Any, name: str) -> Exception:
    """Return the error for a missing method: Ruby's own where Ruby lacks it too."""
    from difflib import get_close_matches

    from pykamal.erb.ruby_names import advice, has_method

    if has_method(class_name(receiver), name):
        return Unsupported(f"the method {name} of {described(receiver)}", advice(name))
    close = get_close_matches(name, methods.names(receiver), 1)
    hint = f"Did you mean {close[0]}?" if close else None
    if receiver is None:
        hint = "A variable that is not set is nil; ENV.fetch names the missing one."
    return RubyError(f"undefined method `{name}' for {described(receiver)}", "NoMethodError", hint=hint)


def guarded(name: str, call: Callable[[], Any]) -> Any:
    """Turn Python's errors into Unsupported: Ruby might not fail here, so `rescue` must not catch them."""
    try:
        return call()
    except KamalError as error:
        raise RubyError(error.message, "RuntimeError", hint=error.hint) from None
    except _PYTHON_FAULTS:
        raise Unsupported(f"{name} with these arguments") from None


# -- functions of constants


def _constant_call(interpreter: Interpreter, constant: str, node: Call) -> Any:
    function = interpreter.builtins.function(constant, node.name)
    if function is None:
        value = interpreter.builtins.constant(constant)
        if isinstance(value, ClassValue) and methods.find(value, node.name) is None:
            from pykamal.erb.ruby_names import advice

            raise Unsupported(f"{constant}.{node.name}", advice(f"{constant}::{node.name}"))
        return _method_call(interpreter, node)
    arguments, keywords, block = _given(interpreter, node)
    charge_all(interpreter, arguments)
    given = {**keywords, **({} if block is None else {"block": block})}
    name = f"{constant}.{node.name}"
    return _leaving(
        interpreter, block, lambda: interpreter.charge(guarded(name, lambda: function(*arguments, **given)))
    )


# -- methods without a receiver


def _function_call(interpreter: Interpreter, node: Call) -> Any:
    known = interpreter.scope.get(node.name) if interpreter.scope.holder(node.name) else None
    arguments, keywords, block = _given(interpreter, node)
    if isinstance(known, Proc) and not node.arguments:
        raise RubyError(f"undefined method `{node.name}' for main", "NoMethodError", hint="A lambda needs .call().")
    return _leaving(interpreter, block, lambda: call_function(interpreter, node.name, arguments, keywords, block))


def call_function(
    interpreter: Interpreter,
    name: str,
    arguments: list[Any],
    keywords: dict[str, Any],
    block: Any,
    *,
    plain: bool = False,
) -> Any:
    """Call a method that the template defines, or one of Ruby's. `plain` is true for a bare name."""
    defined = interpreter.builtins.main.methods.get(name)
    if defined is not None:
        frame = Frame(block, name)
        scope = Scope({}, None, frame)
        depth = interpreter.depth
        bind(interpreter, scope, defined.parameters, arguments, keywords, strict=True)
        try:
            return interpreter.in_scope(scope, defined.body)
        except Jumped as jump:
            if jump.kind != "return" or jump.frame is not frame:
                raise
            interpreter.depth = depth
            return jump.value
    function = interpreter.builtins.kernel_function(name)
    if function is not None:
        charge_all(interpreter, arguments)
        given = {**keywords, **({} if block is None else {"block": block})}
        return interpreter.charge(guarded(name, lambda: function(interpreter, *arguments, **given)))
    raise interpreter.builtins.unknown_name(name, interpreter.scope.names(), call=not plain)


CALLS: Final[dict[type[Any], Callable[[Interpreter, Any], Any]]] = {Call: _call}
