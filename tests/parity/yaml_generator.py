"""YAML documents by the thousand: scalars that may be numbers, times or symbols, texts that are hard to write, and
pieces of structure in any order. Tags that make objects, lists as keys and anchors inside themselves are left out:
this tool refuses them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Final

_NUMBER_PIECES: Final = (*"0123456789_,.:-+eExXbo", "00", "08", "1_0", "60", "59")
_SCALAR_PIECES: Final = (
    *("0", "1", "7", "8", "12", "_", ",", ".", ":", "-", "+", "e", "x", "0x", "0b", "~", "T", "Z", " ", "y", "n", "on"),
    *("yes", "inf", ".inf", ".nan", "true", "null", "=", "&", "a", "'", '"', "#", "%", "@", "2024-01-01", "10:00:00"),
    *("/", "$", "{", "}", "[", "]", "|", ">", "\\", "é", "\u00a0", "\t"),
)
_TEXT_PIECES: Final = (
    *"aZ09 :#-?!&*|>%@`'\"\\{}[],=~^$.;/\n\t\r\x07\x1b\0\x7f\x85é中😀\u00a0\ufeff",
    *("  ", "\n\n", ": ", " #", "word ", "null", "---", "...", "<<"),
)
_DAYS: Final = ("2024-01-01", "2024-1-1", "2024-13-01", "2024-02-30", "0024-12-31", "99999-01-01", "24-01-01")
_MOMENTS: Final = ("", "10:00:00", "1:2:3", "1:02:03", "24:00:00", "23:59:60", "10:00", "10:00:00.5", "10:00:00.")
_ZONES: Final = ("", "Z", " Z", "+02:00", " +2", "+0200", " -03:30", "z", " UTC")
_TAGS: Final = ("!!str", "!!int", "!!float", "!!bool", "!!null", "!foo", "!", "!!foo", "!int", "!float", "!ruby/symbol")
_TAGGED: Final = ("5", "1.5", "'5'", "yes", "~", "0x1", "1_0", "1,000", "12:30", ":a", "0600", "2024-01-01", '"1.5"')
_STRUCTURE: Final = (
    *("a: 1", "b: 2", "- x", "- ", "a:", "  b: 1", "  - c", "<<: *x", "<<: [*x, *y]", "{", "}", "[", "]", ","),
    *("a: {b: 1, c: [1,2]}", "a: &x {k: 1}", "b: &y {k: 2, l: 3}", "c: *x", "<<: {m: 1}", "? k\n: v", "|\n  lit\n"),
    *("a: |\n  lit\n  two\n", "a: >\n  fold\n  two\n\n  x\n", "a: |-\n  x\n", "a: |+\n  x\n\n", "a: |2\n    x\n"),
    *("---", "...", "%YAML 1.1\n---", "# c", "a: 'it''s'", 'a: "x\\ty\\u00e9"', "a: !!str 5", "a: !foo {b: 1}"),
    *(
        "a: !!seq [1]",
        "a: !!map {b: 1}",
        "a: ! x",
        "a: !<tag:yaml.org,2002:str> 5",
        "\t- a",
        "a: b\n c",
        "a:\n- 1\n- 2",
    ),
    *("a: plain\n  multi\n  line", "1: 2", "~: 3", "yes: no", "a: b: c", "a: - b", "a: 'unclosed", "a: [1", "a: {b"),
    *("@a: 1", "`a: 1", "a: @b", "a: %b", "a: &b", "a: *nope", "a: b # c", "a: b#c", "- - a", "-a", "a:b", "a : b"),
    *(": b", "<<: 5", "<<: [5]", "<<: ~", "<<: [*x]", "<<: x"),
)


def documents(seed: int, count: int) -> Iterator[str]:
    random = Random(seed)
    for _ in range(count):
        yield random.choice(_KINDS)(random)


def _joined(random: Random, pieces: tuple[str, ...], most: int) -> str:
    return "".join(random.choice(pieces) for _ in range(random.randint(1, most)))


def _number(random: Random) -> str:
    return f"a: {_joined(random, _NUMBER_PIECES, 8)}\n"


def _scalar(random: Random) -> str:
    return f"a: {_joined(random, _SCALAR_PIECES, 6)}\n"


def _time(random: Random) -> str:
    between = random.choice(("T", "t", " ", "  ", ""))
    return f"a: {random.choice(_DAYS)}{between}{random.choice(_MOMENTS)}{random.choice(_ZONES)}\n"


def _text(random: Random) -> str:
    text = json.dumps(_joined(random, _TEXT_PIECES, 12))
    return random.choice((f"a: {text}\n", f"a:\n- b: [{text}]\n", f"{text}: 1\n"))


def _long_text(random: Random) -> str:
    words = ("alpha", "be", "c:", "#d", "e-f", "gg\n", "'h'", '"i"', "-", "éé", "k  ")
    text = json.dumps(" ".join(random.choice(words) for _ in range(random.randint(10, 40))))
    return f"a:\n  b: {text}\n  c: [{text}]\n"


def _tagged(random: Random) -> str:
    return f"a: {random.choice(_TAGS)} {random.choice(_TAGGED)}\n"


def _structure(random: Random) -> str:
    return "\n".join(random.choice(_STRUCTURE) for _ in range(random.randint(1, 5))) + "\n"


_KINDS: Final = (_number, _scalar, _time, _text, _long_text, _tagged, _structure)
