"""Values of templates: Ruby's idea of truth, of text, and of blank, over plain Python values."""

from __future__ import annotations

from typing import Any

from pykamal.config.document import Symbol, ruby_float


def true(value: Any) -> bool:
    """Only nil and false are not."""
    return value is not None and value is not False


def blank(value: Any) -> bool:
    """nil, false, an empty or white-space text, an empty list or map."""
    if isinstance(value, str):
        return not value.strip()
    return not true(value) or (isinstance(value, list | dict) and not value)


def text(value: Any) -> str:
    """Ruby's `to_s`, which is what a tag inserts."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | Symbol():
            return str(value)
        case float():
            return ruby_float(value)
        case _:
            return inspected(value)


def inspected(value: Any) -> str:
    """Ruby's `inspect`, as versions before 3.4 print it."""
    match value:
        case None:
            return "nil"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
            return f'"{escaped}"'
        case Symbol(name=name):
            return f":{name}"
        case list():
            return f"[{', '.join(inspected(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{inspected(key)}=>{inspected(item)}' for key, item in value.items())}}}"
        case _:
            return text(value)


def equal(left: Any, right: Any) -> bool:
    """Python counts True as 1; Ruby does not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def kind(value: Any) -> str:
    """The class's name in messages."""
    match value:
        case None:
            return "nil"
        case bool():
            return text(value)
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a map"
        case _:
            return "this value"
