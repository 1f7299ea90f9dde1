"""The filter between the text of others and a terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.core.printable import PrintableStream, is_printable, json_text, printable
from pykamal.core.source import excerpt

pytestmark = pytest.mark.unit

HARMFUL = [
    *(chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
]


def test_the_harmful_characters_are_these() -> None:
    """C0 but for line break and tab, DEL, C1, controls of direction, separators, bytes that are no UTF-8; no other."""
    expected = {*HARMFUL, *map(chr, range(0xD800, 0xE000))}
    assert {chr(code) for code in range(0x110000) if not is_printable(chr(code))} == expected
    assert all(is_printable(printable(f"a{each}b")) for each in expected)


def test_every_character_that_moves_the_cursor_is_among_them() -> None:
    """Unicode's category Cc holds all that a terminal may obey."""
    controls = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cc"}
    assert controls - {"\n", "\t"} <= set(HARMFUL)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext é 漢\n", "plain\ttext é 漢\n"),
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
        ("\x9b2J \x7f \u202e", "\\x9b2J \\x7f \\u202e"),
        ("\udc9b2J", "\\x9b2J"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("10%\r20%", "10%\\x0d20%"),
        ("\x1b[1;32mok\x1b[0m \x1b[38:2:1:2:3mx\x1b[m", "ok x"),
        ("\x1b\x1b[31m[2J", "\\x1b[2J"),
        ("\x1b[31\x1b[0mm", "\\x1b[31m"),
    ],
)
def test_what_is_shown_instead(text: str, shown: str) -> None:
    """Removed text stays visible; only colours are left out, and no sequence remains."""
    assert printable(text) == shown


@given(st.text(alphabet=[*HARMFUL, *"a[;0m1\n\té", "\udc9b"]), st.integers(1, 5))
def test_pieces_make_no_difference(text: str, size: int) -> None:
    """A sequence that is cut in two is treated as one, and nothing harmful ever comes out."""
    stream = PrintableStream()
    pieces = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
    pieces.append(stream.flush())
    assert all(map(is_printable, pieces))
    assert "".join(pieces) == printable(text)


@given(st.text())
def test_json_loses_nothing(text: str) -> None:
    """A terminal can show the document, and its reader gets every character back."""
    document = json_text({"text": text})
    assert is_printable(document)
    assert json.loads(document) == {"text": text}


def test_long_evidence_keeps_both_ends() -> None:
    """A note with the length stands in place of the middle."""
    assert excerpt("a" * 100, 100) == "a" * 100
    assert excerpt("a" * 30 + "b" * 1000 + "c" * 80, 100) == ("a" * 25 + "\n… 1,010 characters left out …\n" + "c" * 75)
