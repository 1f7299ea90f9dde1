"""Methods of texts, as a table from name to function; each takes the receiver first."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.indexing import MAXIMUM_ITEMS, MAXIMUM_TEXT, at, first, last, matched, repeated
from pykamal.erb.regexps import Regexp, replacement
from pykamal.erb.values import inspected, shell_escaped, text, true

_DIRECTIVE: Final = re.compile(
    r"%(?:%|\{(?P<braces>\w+)\}|(?:<(?P<name>\w+)>)?(?P<flags>[-+ 0#]*)(?P<width>\d*(?:\.\d+)?)(?P<kind>[A-Za-z*]?))"
)

Block = Callable[..., Any]
Method = Callable[..., Any]


def _split(receiver: str, separator: str | Regexp | None = None, limit: int = 0) -> list[str]:
    if isinstance(separator, Regexp):
        if separator.compiled.fullmatch(""):
            raise ValueError("a separator must not be empty")
        parts = [part or "" for part in separator.on(receiver).split(receiver, max(0, limit - 1))]
    elif separator is None or separator == " ":
        parts = receiver.split(None, limit - 1) if limit > 0 else receiver.split()
    elif separator == "":
        parts = list(receiver)
    else:
        parts = receiver.split(separator, limit - 1) if limit > 0 else receiver.split(separator)
    while limit == 0 and parts and not parts[-1]:
        parts.pop()
    return parts


def _lines(receiver: str, options: Any = None) -> list[str]:
    """With `chomp: true` without their ends."""
    chomped = isinstance(options, dict) and true(options.get(Symbol("chomp")))
    lines = re.findall(r"[^\n]*\n|[^\n]+", receiver)
    return [_chomp(line) for line in lines] if chomped else lines


def _centred(receiver: str, width: int, pad: str) -> str:
    missing = max(0, width - len(receiver))
    left = missing // 2
    return f"{(pad * left)[:left]}{receiver}{(pad * (missing - left))[: missing - left]}"


def _underscored(receiver: str) -> str:
    words = re.sub(r"([A-Z]+)(?=[A-Z][a-z])|([a-z\d])(?=[A-Z])", lambda match: f"{match[0]}_", receiver)
    return words.replace("-", "_").replace("::", "/").lower()


def _chomp(receiver: str, suffix: str | None = None) -> str:
    if suffix is not None:
        return receiver.removesuffix(suffix)
    return (
        receiver[:-2] if receiver.endswith("\r\n") else receiver[:-1] if receiver.endswith(("\n", "\r")) else receiver
    )


def _replaced_all(receiver: str, old: str | Regexp, new: str | None = None, block: Block | None = None) -> str:
    return _replaced(receiver, old, new, block, count=0)


def _replaced_first(receiver: str, old: str | Regexp, new: str | None = None, block: Block | None = None) -> str:
    return _replaced(receiver, old, new, block, count=1)


def _replaced(receiver: str, old: str | Regexp, new: str | None, block: Block | None, count: int) -> str:
    if new is None and block is None:
        raise TypeError("a replacement or a block is needed")
    matcher = old.on(receiver) if isinstance(old, Regexp) else re.compile(re.escape(old))
    length = 0

    def inserted(match: re.Match[str]) -> str:
        nonlocal length
        result = text(block(match[0])) if block is not None else replacement(new or "", match)
        length += len(result)
        if length > MAXIMUM_TEXT:
            raise ValueError("the text becomes too long")
        return result

    return matcher.sub(inserted, receiver, count)


def _scanned(receiver: str, pattern: Regexp) -> list[Any]:
    matches = list(pattern.on(receiver).finditer(receiver))
    return [list(match.groups()) if match.re.groups else match[0] for match in matches]


def position(receiver: Any, pattern: Any) -> int | None:
    """`=~`: where the first match begins."""
    if not isinstance(receiver, str):
        return None
    match = pattern.on(receiver).search(receiver)
    return None if match is None else match.start()


def formatted(form: str, *values: Any) -> str:
    """`%` and `format`, with `%{name}` and `%<name>d` of a map; a field may be some hundred characters wide."""
    if re.search(r"[0-9]{4}", form):
        raise ValueError("a field is too wide")
    waiting = iter(values)

    def filled(directive: re.Match[str]) -> str:
        if directive[0] == "%%":
            return "%"
        name = directive["braces"] or directive["name"]
        value = values[0][Symbol(name)] if name else next(waiting)
        if directive["braces"]:
            return text(value)
        return _in_form(f"%{directive['flags']}{directive['width']}", directive["kind"], value)

    try:
        return _DIRECTIVE.sub(filled, form)
    except StopIteration:
        raise ValueError("too few arguments") from None


def _in_form(form: str, kind: str, value: Any) -> str:
    match kind:
        case "s":
            return f"{form}s" % text(value)
        case "p":
            return f"{form}s" % inspected(value)
        case "d" | "i" | "u":
            return f"{form}d" % (value // 1 if isinstance(value, float) else int(value))
        case "f" | "e" | "g":
            return f"{form}{kind}" % float(value)
        case "x" | "X" | "o" if int(value) >= 0:
            return f"{form}{kind}" % int(value)
        case "b" if int(value) >= 0:
            return f"{int(value):{form[1:]}b}"
        case _:
            raise ValueError("a form that is not supported")


def _tr(receiver: str, old: str, new: str) -> str:
    old, new = _expanded(old), _expanded(new)
    if old.startswith("^") and len(old) > 1:
        kept = set(old[1:])
        return "".join(character if character in kept else new[-1:] for character in receiver)
    padded = new + new[-1:] * max(0, len(old) - len(new))
    table = {ord(a): (padded[i] if padded else None) for i, a in reversed(list(enumerate(old)))}
    return receiver.translate(table)


def _expanded(characters: str) -> str:
    """`a-z` of `tr` and `delete` as all its letters."""
    result: list[str] = []
    index = 0
    while index < len(characters):
        if index + 2 < len(characters) and characters[index + 1] == "-":
            result += [chr(code) for code in range(ord(characters[index]), ord(characters[index + 2]) + 1)]
            index += 3
        else:
            result.append(characters[index])
            index += 1
    return "".join(result)[:MAXIMUM_ITEMS]


def _float(value: str) -> float:
    for end in range(min(len(value), 40), 0, -1):
        try:
            return float(value[:end].replace("_", ""))
        except ValueError:
            continue
    return 0.0


TEXT_METHODS: Final[dict[str, Method]] = {
    "strip": lambda value: value.strip(" \t\n\v\f\r\0"),
    "lstrip": lambda value: value.lstrip(" \t\n\v\f\r\0"),
    "rstrip": lambda value: value.rstrip(" \t\n\v\f\r\0"),
    "squish": lambda value: " ".join(value.split()),
    "chomp": _chomp,
    "chop": lambda value: value[:-1],
    "upcase": str.upper,
    "downcase": str.lower,
    "capitalize": str.capitalize,
    "swapcase": str.swapcase,
    "split": _split,
    "lines": _lines,
    "each_line": _lines,
    "chars": list,
    "each_char": list,
    "bytes": lambda value: list(value.encode()),
    "ord": lambda value: ord(value[0]),
    "hex": lambda value: int(value, 16),
    "count": lambda value, characters: sum(map(value.count, set(_expanded(characters)))),
    "rindex": lambda value, part: value.rfind(part) if part in value else None,
    "squeeze": lambda value: re.sub(r"(?s)(.)\1+", r"\1", value),
    "insert": lambda value, index, other: value[:index] + other + value[index:],
    "center": lambda value, width, pad=" ": _centred(value, min(width, MAXIMUM_ITEMS), pad),
    "partition": lambda value, separator: list(value.partition(separator)),
    "rpartition": lambda value, separator: list(value.rpartition(separator)),
    "shellescape": shell_escaped,
    "underscore": _underscored,
    "parameterize": lambda value: re.sub(r"[^a-z0-9_-]+", "-", value.lower()).strip("-"),
    "sub": _replaced_first,
    "gsub": _replaced_all,
    "match": matched,
    "match?": lambda value, pattern: matched(value, pattern) is not None,
    "scan": _scanned,
    "tr": _tr,
    "delete": lambda value, characters: _tr(value, characters, ""),
    "delete_prefix": str.removeprefix,
    "delete_suffix": str.removesuffix,
    "start_with?": lambda value, *prefixes: value.startswith(prefixes),
    "end_with?": lambda value, *suffixes: value.endswith(suffixes),
    "include?": lambda value, part: part in value,
    "empty?": lambda value: not value,
    "length": len,
    "size": len,
    "reverse": lambda value: value[::-1],
    "to_f": _float,
    "to_sym": Symbol,
    "to_str": text,
    "first": first,
    "last": last,
    "index": lambda value, part: value.find(part) if part in value else None,
    "[]": at,
    "slice": at,
    "*": repeated,
    "concat": lambda value, *others: "".join([value, *others]),
    "prepend": lambda value, other: other + value,
    "ljust": lambda value, width, pad=" ": value.ljust(min(width, MAXIMUM_ITEMS), pad),
    "rjust": lambda value, width, pad=" ": value.rjust(min(width, MAXIMUM_ITEMS), pad),
    "truncate": lambda value, length: value if len(value) <= length else f"{value[: max(0, length - 3)]}...",
    "bytesize": lambda value: len(value.encode()),
}
