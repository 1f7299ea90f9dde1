"""Ruby's methods without a receiver: `puts`, `raise`, `Integer`, `system`. Functions take the interpreter first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pykamal.core.ruby import Symbol
from pykamal.erb import libraries
from pykamal.erb.conversions import floating, integer
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.exceptions import is_exception
from pykamal.erb.formatting import formatted
from pykamal.erb.libraries import LIBRARIES
from pykamal.erb.procs import NamedMethod
from pykamal.erb.scope import Scope
from pykamal.erb.shell_lines import not_started
from pykamal.erb.streams import lines, shown
from pykamal.erb.values import Block, ClassValue, ExceptionValue, Method, Range, in_message, shell_escaped, text

if TYPE_CHECKING:
    from pykamal.erb.interpreter import Interpreter


class Binding:
    """The value of `binding`: the variables that an inner template sees."""

    CLASS = "Binding"

    def __init__(self, scope: Scope) -> None:
        self.scope = scope


def _require(interpreter: Interpreter, library: Any) -> bool:
    if library not in LIBRARIES:
        from pykamal.erb.ruby_names import library_advice

        raise Unsupported(f'require "{text(library)}"', library_advice(text(library)))
    if library == "dotenv/load":
        interpreter.builtins.load_dotenv()
    return True


def _raise(interpreter: Interpreter, *what: Any, **_options: Any) -> Any:
    if not what:
        if interpreter.error is None:
            raise RubyError("unhandled exception", "RuntimeError")
        raise RubyError(interpreter.error.message, interpreter.error.kind, value=interpreter.error)
    raised = exception(*what)
    raise RubyError(raised.message, raised.kind, value=raised)


def exception(*what: Any) -> ExceptionValue:
    """Return the exception of `raise`, given as a message, a class, a class and a message, or an exception."""
    match what:
        case (str() as message,):
            return ExceptionValue("RuntimeError", message)
        case (ExceptionValue() as raised,):
            return raised
        case (ExceptionValue(kind=kind), message, *_):
            return ExceptionValue(kind, text(message))
        case (ClassValue(name=name),) if is_exception(name):
            return ExceptionValue(name, name)
        case (ClassValue(name=name), message, *_) if is_exception(name):
            return ExceptionValue(name, text(message))
    raise RubyError("exception class/object expected", "TypeError")


def _abort(_interpreter: Interpreter, message: Any = None) -> Any:
    shown = "exit" if message is None else text(message)
    raise RubyError(shown, "SystemExit", value=ExceptionValue("SystemExit", shown))


def _exit(_interpreter: Interpreter, *_status: Any) -> Any:
    raise RubyError("exit", "SystemExit", value=ExceptionValue("SystemExit", "exit"))


def _put_lines(interpreter: Interpreter, *values: Any) -> None:
    interpreter.builtins.print(lines(*values))


def _inspect(interpreter: Interpreter, *values: Any) -> Any:
    interpreter.builtins.print(shown(*values))
    return values[0] if len(values) == 1 else list(values) if values else None


def _print(interpreter: Interpreter, *values: Any) -> None:
    interpreter.builtins.print("".join(map(text, values)))


def _system(interpreter: Interpreter, *words: Any, exception: Any = False, **options: Any) -> bool | None:
    if options or not words or not all(isinstance(word, str) for word in words):
        raise Unsupported("system with these arguments", 'Write system("a line for the shell").')
    line = words[0] if len(words) == 1 else " ".join(map(shell_escaped, words))
    interpreter.builtins.print(interpreter.builtins.run(line))
    code = interpreter.builtins.status.code if interpreter.builtins.status is not None else 1
    missing = not_started(interpreter.builtins, line)
    if exception is True and code != 0:
        raise missing or RubyError(f"Command failed with exit {code}: {line.split(' ')[0]}", "RuntimeError")
    return None if missing else code == 0


def _array(_interpreter: Interpreter, value: Any) -> list[Any]:
    from pykamal.erb.interpreter import listed

    return listed(value)


def _hash(_interpreter: Interpreter, value: Any) -> dict[Any, Any]:
    if isinstance(value, dict):
        return value
    if value is None or value == []:
        return {}
    raise RubyError(f"can't convert {in_message(value)} into Hash", "TypeError")


def _loop(interpreter: Interpreter, block: Block | None = None) -> Any:
    if block is None:
        raise Unsupported("loop without a block")
    while True:
        interpreter.budget.step()
        block()


def _lambda(_interpreter: Interpreter, block: Block | None = None) -> Any:
    if block is None:
        raise RubyError("tried to create Proc object without a block", "ArgumentError")
    return block


def _random(_interpreter: Interpreter, most: Any = None) -> Any:
    import random

    if isinstance(most, Range):
        return random.choice(most.items())  # noqa: S311 - as random as Ruby's
    if most is None or most == 0:
        return random.random()  # noqa: S311
    return random.randrange(abs(int(most)))  # noqa: S311


def _uri(value: Any) -> Any:
    parse = libraries.function("URI", "parse")
    assert parse is not None, "the library has it"
    return parse(value)


def _method(interpreter: Interpreter, name: Any) -> NamedMethod:
    return NamedMethod(interpreter, text(name), own=True)


def _block_given(interpreter: Interpreter) -> bool:
    return interpreter.scope.frame.block is not None


def _named(named: dict[str, Any]) -> Any:
    return {Symbol(name): value for name, value in named.items()}


def _current_method(interpreter: Interpreter) -> Any:
    name = interpreter.scope.frame.method
    return None if name is None else Symbol(name)


KERNEL: Final[dict[str, Callable[..., Any]]] = {
    "require": _require,
    "raise": _raise,
    "fail": _raise,
    "abort": _abort,
    "exit": _exit,
    "puts": _put_lines,
    "print": _print,
    "p": _inspect,
    "warn": lambda interpreter, *values, **_options: _put_lines(interpreter, *values),
    "system": _system,
    "Integer": lambda _, value, base=None, exception=True: integer(value, base, exception),
    "Float": lambda _, value, exception=True: floating(value, exception),
    "String": lambda _, value: text(value),
    "Array": _array,
    "Hash": _hash,
    "URI": lambda _, value: _uri(value),
    "format": lambda _, form, *values, **named: formatted(form, *(values or (_named(named),))),
    "sprintf": lambda _, form, *values, **named: formatted(form, *(values or (_named(named),))),
    "loop": _loop,
    "lambda": _lambda,
    "proc": _lambda,
    "rand": _random,
    "method": _method,
    "block_given?": _block_given,
    "binding": lambda interpreter: Binding(interpreter.scope),
    "__dir__": lambda _: ".",
    "__FILE__": lambda _: "(erb)",
    "__method__": _current_method,
}


@dataclass(frozen=True, slots=True)
class InnerTemplate:
    CLASS: ClassVar[str] = "ERB"

    source: str
    trim_mode: str
    render: Callable[[str, str, Scope | None], str]


def _result(template: InnerTemplate, binding: Any = None) -> str:
    if binding is not None and not isinstance(binding, Binding):
        raise Unsupported("result with anything but binding")
    return template.render(template.source, template.trim_mode, None if binding is None else binding.scope)


def _result_with(template: InnerTemplate, variables: Any) -> str:
    return template.render(
        template.source, template.trim_mode, Scope({text(name): value for name, value in variables.items()})
    )


INNER_METHODS: Final[dict[str, Method]] = {"result": _result, "result_with_hash": _result_with}
