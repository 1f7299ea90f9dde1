"""The methods of strings, as a table from name to function. Functions take the receiver first."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from pykamal.core.ruby import Symbol
from pykamal.erb.budget import check_items, check_text
from pykamal.erb.conversions import a_text, to_float, to_integer
from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.indexing import at, repeated, span
from pykamal.erb.matcher import Regexp
from pykamal.erb.substitution import each_part, found, position, replaced_all, replaced_first, scanned
from pykamal.erb.transliteration import character_set, deleted, squeezed, successor, tr
from pykamal.erb.values import Block, Method, Range, shell_escaped, text, true
from pykamal.erb.word_lists import words


def _underscored(receiver: str) -> str:
    if not re.search(r"[A-Z-]|::", receiver):
        return receiver
    words = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z\d])(?=[A-Z])", "_", receiver.replace("::", "/"))
    return words.replace("-", "_").lower()


def _camelized(receiver: str, first: Any = None) -> str:
    joined = re.sub(r"(?:_|(/))([a-z\d]*)", lambda m: f"{m[1] or ''}{m[2].capitalize()}", receiver, flags=re.IGNORECASE)
    joined = joined.replace("/", "::")
    if first is not None and text(first) == "lower":
        return re.sub(r"^[A-Z]+?(?=[A-Z_\W]|\b|$|[a-z])", lambda m: m[0].lower(), joined)
    return joined[:1].upper() + joined[1:]


def _parameterized(receiver: str, options: Any = None) -> str:
    given = options if isinstance(options, dict) else {}
    separator = text(given.get(Symbol("separator"), "-"))
    plain = unicodedata.normalize("NFKD", receiver).encode("ascii", "ignore").decode()
    joined = re.sub(r"[^a-zA-Z0-9\-_]+", lambda _: separator, plain)
    if separator:
        quoted = re.escape(separator)
        joined = re.sub(f"(?:{quoted}){{2,}}", lambda _: separator, joined)
        joined = re.sub(f"^(?:{quoted})|(?:{quoted})$", "", joined)
    return joined if given.get(Symbol("preserve_case")) is True else joined.lower()


INFLECTIONS: Final[dict[str, Method]] = {
    "underscore": _underscored,
    "camelize": _camelized,
    "camelcase": _camelized,
    "dasherize": lambda value: value.replace("_", "-"),
    "parameterize": _parameterized,
    "demodulize": lambda value: value.rpartition("::")[2],
    "upcase_first": lambda value: value[:1].upper() + value[1:],
    "downcase_first": lambda value: value[:1].lower() + value[1:],
}

_ENDS: Final = " \t\n\v\f\r\0"


def _split(receiver: str, separator: str | Regexp | None = None, limit: int = 0) -> list[str]:
    if isinstance(separator, Regexp):
        parts = _split_by(receiver, separator, limit)
    elif separator is None or separator == " ":
        parts = receiver.split(None, limit - 1) if limit > 0 else receiver.split()
        if limit < 0 and receiver[-1:].isspace():
            parts.append("")
    elif separator == "":
        parts = list(receiver) if limit <= 0 else [*receiver[: limit - 1], *filter(None, [receiver[limit - 1 :]])]
    else:
        parts = receiver.split(a_text(separator), limit - 1) if limit > 0 else receiver.split(a_text(separator))
    if not receiver:
        return []
    while limit == 0 and parts and not parts[-1]:
        parts.pop()
    check_items(len(parts))
    return parts


def _split_by(receiver: str, separator: Regexp, limit: int) -> list[str]:
    parts: list[str] = []
    start = 0
    for match in separator.matches(receiver):
        if limit > 0 and len(parts) >= limit - 1:
            break
        if match.end == match.start and (match.start == start or match.start >= len(receiver)):
            continue
        parts += [receiver[start : match.start], *(each for each in match.groups if each is not None)]
        start = match.end
    return [*parts, receiver[start:]]


def _lines(receiver: str, options: Any = None, block: Block | None = None) -> Any:
    """Return the lines; with `chomp: true` without line ends."""
    chomped = isinstance(options, dict) and true(options.get(Symbol("chomp")))
    lines = re.findall(r"[^\n]*\n|[^\n]+", receiver)
    check_items(len(lines))
    lines = [_chomp(line) for line in lines] if chomped else lines
    return each_part(receiver, lines, block)


def _chomp(receiver: str, suffix: str | None = None) -> str:
    if suffix is not None:
        return receiver.removesuffix(suffix)
    for end in ("\r\n", "\n", "\r"):
        if receiver.endswith(end):
            return receiver.removesuffix(end)
    return receiver


def _padded(receiver: str, width: int, pad: str, side: str) -> str:
    missing = max(0, width - len(receiver))
    check_text(len(receiver) + missing)
    if not pad:
        raise RubyError("zero width padding", "ArgumentError")
    left = {"left": 0, "right": missing, "both": missing // 2}[side]
    right = missing - left
    return f"{(pad * (left // len(pad) + 1))[:left]}{receiver}{(pad * (right // len(pad) + 1))[:right]}"


def _prefixed(receiver: str, *prefixes: Any) -> bool:
    for prefix in prefixes:
        if isinstance(prefix, Regexp):
            match = prefix.search(receiver)
            if match is not None and match.start == 0:
                return True
        elif receiver.startswith(a_text(prefix)):
            return True
    return False


def _index(receiver: str, part: Any, start: int = 0) -> int | None:
    start = start if start >= 0 else start + len(receiver)
    if isinstance(part, Regexp):
        match = part.search(receiver, start)
        return None if match is None else match.start
    place = receiver.find(a_text(part), start)
    return None if place < 0 else place


def _partitioned(receiver: str, separator: Any) -> list[str]:
    if isinstance(separator, Regexp):
        match = separator.search(receiver)
        if match is None:
            return [receiver, "", ""]
        return [receiver[: match.start], match.group(0) or "", receiver[match.end :]]
    return list(receiver.partition(a_text(separator)))


def _inserted(receiver: str, index: int, other: str) -> str:
    place = index if index >= 0 else index + len(receiver) + 1
    if not 0 <= place <= len(receiver):
        raise RubyError(f"index {index} out of string", "IndexError")
    return receiver[:place] + a_text(other) + receiver[place:]


def _compared(receiver: str, other: Any, fold: bool = False) -> int | None:
    if not isinstance(other, str):
        return None
    left, right = (receiver.casefold(), other.casefold()) if fold else (receiver.lower(), other.lower())
    return (left > right) - (left < right)


def _encoded(receiver: str, encoding: str = "UTF-8", *_rest: Any) -> str:
    if str(encoding).upper() not in ("UTF-8", "ASCII", "US-ASCII"):
        raise Unsupported(f"the encoding {encoding}")
    return receiver


def _each_character(receiver: str, block: Block | None = None) -> Any:
    return each_part(receiver, list(receiver), block)


def _bytes(receiver: str) -> list[int]:
    check_items(len(receiver.encode()))
    return list(receiver.encode())


def _shell_words(receiver: str) -> list[str]:
    import shlex

    try:
        return shlex.split(receiver)
    except ValueError:
        raise RubyError(f"Unmatched quote: {receiver}", "ArgumentError") from None


def _normalized(receiver: str, form: Any = "nfc") -> str:
    import unicodedata

    known: Any = text(form).upper()
    return unicodedata.normalize(known, receiver)


TEXT_METHODS: Final[dict[str, Method]] = {
    **INFLECTIONS,
    "strip": lambda value: value.lstrip(_ENDS[:-1]).rstrip(_ENDS),
    "lstrip": lambda value: value.lstrip(_ENDS[:-1]),
    "rstrip": lambda value: value.rstrip(_ENDS),
    "chomp": _chomp,
    "chop": lambda value: value[:-2] if value.endswith("\r\n") else value[:-1],
    "chr": lambda value: value[:1],
    "upcase": str.upper,
    "downcase": str.lower,
    "capitalize": str.capitalize,
    "swapcase": str.swapcase,
    "split": _split,
    "lines": _lines,
    "each_line": _lines,
    "chars": _each_character,
    "each_char": _each_character,
    "bytes": _bytes,
    "ord": lambda value: ord(value[0]),
    "hex": lambda value: to_integer(value, 16),
    "oct": lambda value: to_integer(value, 8),
    "count": lambda value, *patterns: sum(map(character_set(*patterns), value)),
    "index": _index,
    "rindex": lambda value, part: None if (place := value.rfind(a_text(part))) < 0 else place,
    "squeeze": squeezed,
    "insert": _inserted,
    "center": lambda value, width, pad=" ": _padded(value, width, pad, "both"),
    "ljust": lambda value, width, pad=" ": _padded(value, width, pad, "left"),
    "rjust": lambda value, width, pad=" ": _padded(value, width, pad, "right"),
    "partition": _partitioned,
    "rpartition": lambda value, separator: list(value.rpartition(a_text(separator))),
    "shellescape": shell_escaped,
    "shellsplit": _shell_words,
    "sub": replaced_first,
    "gsub": replaced_all,
    "match": found,
    "match?": lambda value, pattern: found(value, pattern) is not None,
    "=~": position,
    "scan": scanned,
    "tr": tr,
    "delete": deleted,
    "delete_prefix": lambda value, prefix: value.removeprefix(a_text(prefix)),
    "delete_suffix": lambda value, suffix: value.removesuffix(a_text(suffix)),
    "start_with?": _prefixed,
    "end_with?": lambda value, *suffixes: any(value.endswith(a_text(suffix)) for suffix in suffixes),
    "include?": lambda value, part: a_text(part) in value,
    "empty?": lambda value: not value,
    "length": len,
    "size": len,
    "bytesize": lambda value: len(value.encode()),
    "reverse": lambda value: value[::-1],
    "succ": successor,
    "next": successor,
    "upto": lambda value, last, block=None: each_part(value, Range(value, last).items(), block),
    "between?": lambda value, low, high: low <= value <= high,
    "casecmp": _compared,
    "casecmp?": lambda value, other: None if (order := _compared(value, other, fold=True)) is None else order == 0,
    "to_i": to_integer,
    "to_f": to_float,
    "to_sym": lambda value: Symbol(str(value)),
    "to_str": text,
    "[]": at,
    "slice": at,
    "+@": text,
    "concat": lambda value, *others: "".join([value, *map(a_text, others)]),
    "prepend": lambda value, *others: "".join([*map(a_text, others), value]),
    "replace": lambda _, other: a_text(other),
    "clear": lambda _: "",
    "encode": _encoded,
    "force_encoding": _encoded,
    "unicode_normalize": _normalized,
    "scrub": text,
    "valid_encoding?": lambda _: True,
    "ascii_only?": str.isascii,
    "*": repeated,
}
_WITH_BANG: Final = words(
    "strip lstrip rstrip chomp chop upcase downcase capitalize swapcase squeeze sub gsub tr delete "
    "delete_prefix delete_suffix reverse succ next"
)
_IN_PLACE: Final = ("concat", "prepend", "insert", "replace", "clear")
CHANGING: Final = frozenset([*(f"{name}!" for name in _WITH_BANG), *_IN_PLACE])
"""Methods that change their receiver."""


def with_part(receiver: str, part: Any, value: Any) -> str:
    """Evaluate `text[part] = value`. Raises RubyError for a missing part."""
    new = a_text(value)
    if isinstance(part, int) and not isinstance(part, bool) and -len(receiver) <= part < len(receiver):
        place = part % len(receiver)
        return receiver[:place] + new + receiver[place + 1 :]
    if isinstance(part, str) and part in receiver:
        return receiver.replace(part, new, 1)
    if isinstance(part, Regexp) and (match := part.search(receiver)) is not None:
        return receiver[: match.start] + new + receiver[match.end :]
    if isinstance(part, Range) and (bounds := span(part, len(receiver))) is not None:
        return receiver[: bounds[0]] + new + receiver[bounds[1] :]
    if isinstance(part, int | str):
        raise RubyError(f"index {part} out of string" if isinstance(part, int) else "string not matched", "IndexError")
    raise Unsupported("assigning to this part of a text")


def changing(name: str, receiver: str, arguments: list[Any], block: Block | None) -> tuple[str, Any]:
    """Return the changed text and the method's value: nil of most methods with `!` that changed nothing."""
    given = {} if block is None else {"block": block}
    changed = TEXT_METHODS[name.removesuffix("!")](receiver, *arguments, **given)
    never_nil = not name.endswith("!") or name in ("reverse!", "succ!", "next!")
    return changed, receiver if never_nil else None
