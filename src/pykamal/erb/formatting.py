"""Implements `format` and `%` of strings."""

from __future__ import annotations

import re
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.budget import check_text
from pykamal.erb.conversions import to_float, to_integer
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.values import inspected, text

_DIRECTIVE: Final = re.compile(
    r"%(?:%|\{(?P<braces>\w+)\}|(?:<(?P<name>\w+)>)?(?P<flags>[-+ 0#]*)(?P<width>\d*(?:\.\d+)?)"
    r"(?:<(?P<late>\w+)>)?(?P<kind>[A-Za-z*]?))"
)
_WIDEST_FIELD: Final = 999


def formatted(form: str, *values: Any) -> str:
    """Format like `%` and `format`, with `%{name}` and `%<name>d` of a hash; widths are limited to some hundreds."""
    waiting = iter(values)
    length = 0

    def filled(directive: re.Match[str]) -> str:
        nonlocal length
        shown = _directive(directive, waiting, values)
        length += len(shown)
        check_text(length)
        return shown

    return _DIRECTIVE.sub(filled, form)


def _directive(directive: re.Match[str], waiting: Any, values: tuple[Any, ...]) -> str:
    if directive[0] == "%%":
        return "%"
    name = directive["braces"] or directive["name"] or directive["late"]
    if name:
        if not values or not isinstance(values[0], dict):
            raise RubyError("one hash required", "ArgumentError")
        if Symbol(name) not in values[0]:
            raise RubyError(f"key<{name}> not found", "KeyError")
        value = values[0][Symbol(name)]
        if directive["braces"]:
            return text(value)
    else:
        value = next(waiting, _MISSING)
        if value is _MISSING:
            raise RubyError("too few arguments", "ArgumentError")
    widths = [int(each) for each in re.findall(r"\d+", directive["width"])]
    if any(width > _WIDEST_FIELD for width in widths):
        raise RubyError(f"a field is wider than {_WIDEST_FIELD} characters", "ArgumentError")
    return _in_form(f"%{directive['flags']}{directive['width']}", directive["kind"], value)


_MISSING: Final = object()


def _in_form(form: str, kind: str, value: Any) -> str:
    match kind:
        case "s":
            return f"{form}s" % text(value)
        case "p":
            return f"{form}s" % inspected(value)
        case "d" | "i" | "u":
            whole = value // 1 if isinstance(value, float) else to_integer(value)
            return f"{form}d" % whole
        case "f" | "e" | "g" | "E" | "G":
            return f"{form}{kind}" % (to_float(value) if isinstance(value, str | None) else float(value))
        case "x" | "X" | "o" if to_integer(value) >= 0:
            return f"{form}{kind}" % to_integer(value)
        case "b" if to_integer(value) >= 0:
            return f"{to_integer(value):{form[1:]}b}"
        case "c":
            return f"{form}s" % (value[:1] if isinstance(value, str) else chr(value))
        case _:
            raise Unsupported(f"the form {form}{kind}")
