"""Values of templates: Ruby's idea of truth, of text, and of blank, over plain Python values."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pykamal.core.ruby import Symbol, ruby_float
from pykamal.erb.regexps import Regexp

_ESCAPES: Final = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\x1b": "\\e",
    "\a": "\\a",
    "\b": "\\b",
    "\v": "\\v",
    "\f": "\\f",
    "\0": "\\0",
}
_UNSAFE_IN_SHELL: Final = re.compile(r"([^A-Za-z0-9_\-.,:+/@\n])", re.ASCII)
_INTERPOLATION: Final = re.compile(r"#(?=[{$@])")
_PLAIN_SYMBOL: Final = re.compile(r"[^\W\d]\w*[?!=]?")
_HASH: Final = r"\\#"


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
        case Regexp():
            return str(value)
        case range():
            return f"{value.start}..{value.stop - 1}"
        case _:
            return inspected(value)


def inspected(value: Any) -> str:
    """Ruby's `inspect`, as versions before 3.4 print it."""
    match value:
        case None:
            return "nil"
        case str():
            escaped = "".join(_ESCAPES.get(character, character) for character in value)
            return f'"{_INTERPOLATION.sub(_HASH, escaped)}"'
        case Symbol(name=name):
            return f":{name}" if _PLAIN_SYMBOL.fullmatch(name) else f":{inspected(name)}"
        case list():
            return f"[{', '.join(inspected(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{inspected(key)}=>{inspected(item)}' for key, item in value.items())}}}"
        case _:
            return text(value)


def as_json(value: Any) -> str:
    return json.dumps(_jsonable(value), separators=(",", ":"), ensure_ascii=False)


def _jsonable(value: Any) -> Any:
    match value:
        case Symbol(name=name):
            return name
        case list():
            return [_jsonable(item) for item in value]
        case dict():
            return {text(key): _jsonable(item) for key, item in value.items()}
        case range():
            return text(value)
        case _:
            return value


def shell_escaped(value: str) -> str:
    """Ruby's way: a backslash before every character that is not plain."""
    return _UNSAFE_IN_SHELL.sub(r"\\\1", value).replace("\n", "'\n'") if value else "''"


def equal(left: Any, right: Any) -> bool:
    """Python counts True as 1; Ruby does not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


MAXIMUM_DEPTH: Final = 30


def weight(value: Any, most: int, depth: int = 0) -> int:
    """How much there is to go through in a value, shared parts counted each time; stops counting beyond `most`.

    Raises ValueError for a value that is nested too deeply, or holds itself.
    """
    if isinstance(value, str):
        return 1 + len(value) // 16
    if not isinstance(value, list | dict):
        return 1
    if depth > MAXIMUM_DEPTH:
        raise ValueError("nested too deeply")
    total = 1
    for item in value.values() if isinstance(value, dict) else value:
        total += weight(item, most - total, depth + 1)
        if total > most:
            break
    return total


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
        case Regexp():
            return "a regular expression"
        case _:
            return "this value"
