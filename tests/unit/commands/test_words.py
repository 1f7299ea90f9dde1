"""Quoting: what a word looks like, and what real shells read back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykamal.commands.command import query
from pykamal.commands.words import (
    Expanded,
    Output,
    Raw,
    Word,
    double_quoted,
    dumped,
    joined,
    key_values,
    options,
    render,
    single_quoted,
)
from pykamal.core.sensitive import Sensitive
from tests.unit.commands.shell import SHELLS, arguments

pytestmark = pytest.mark.unit

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
UGLY = st.text(st.sampled_from("ab \"'\\$`#{}@()!*~;&|<>\n\t\r\x1b\x07é世\x7f%=-"))


def shown(words: list[Word]) -> str:
    return " ".join(render(word, shown=True) for word in words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bar baz", '"bar baz"'),
        ("`foo`", r'"\`foo\`"'),
        ("${PWD}", '"${PWD}"'),
        ("$PWD", r'"\$PWD"'),
        ("$(PWD)", r'"\$(PWD)"'),
        ("${PWD]", r'"\${PWD]"'),
        ("héllo", '"h"é"llo"'),
        ("é", "é"),
        ("", ""),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("a\nb\tc\rd", r'"a\nb\tc\rd"'),
        ("\x1b\a\b\v\f", r'"\e\a\b\v\f"'),
        ("\x00\x01\x7f", r'"\x00\x01\x7F"'),
        ("#{x}", r'"\#{x}"'),
        ("#$x", r'"\#\$x"'),
        ("#@x", r'"\#@x"'),
        ("# x", '"# x"'),
    ],
)
def test_double_quoted_form(text: str, expected: str) -> None:
    """spec/cli.md 3.2, spec/config.md 18.7: the table of values and results."""
    assert double_quoted(text) == expected


def ruby_form(text: str) -> str:
    """Another way to the text that a container gets: control characters escaped, `#{`, `#$`, `#@` with a backslash."""
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e", "\a": "\\a", "\b": "\\b", "\v": "\\v", "\f": "\\f"}
    result = []
    for character, following in zip(text, text[1:] + "\0", strict=True):
        if character == "#" and following in "{$@":
            result.append("\\#")
        elif ord(character) < 32 or character == "\x7f":
            result.append(named.get(character) or f"\\x{ord(character):02X}")
        else:
            result.append(character)
    return "".join(result)


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists((TEXT | UGLY).filter(lambda text: text and "${" not in text), min_size=1, max_size=10))
def test_shells_read_the_double_quoted_form_back(shell: str, texts: list[str]) -> None:
    """spec/config.md 18.7: nothing but `${...}` is expanded; control characters stay literal backslash sequences."""
    assert arguments(" ".join(map(double_quoted, texts)), shell=shell) == list(map(ruby_form, texts))


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_expand_braced_names_only(shell: str) -> None:
    """spec/config.md 18.7: `${HOST}` is the server's business, `$HOST` and `$(x)` are text."""
    words = " ".join(map(double_quoted, ["${X-set}", "$X", "$(echo x)", "a${X-set}b$"]))
    assert arguments(words, shell=shell) == ["set", "$X", "$(echo x)", "asetb$"]


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXT | UGLY, min_size=1, max_size=10))
def test_shells_read_plain_words_back(shell: str, texts: list[str]) -> None:
    """design.md, rule 1: a `str` is one argument, whatever is in it."""
    assert arguments(" ".join(render(text, shown=False) for text in texts), shell=shell) == texts


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXT | UGLY, min_size=1, max_size=10))
def test_shells_read_single_quotes_back(shell: str, texts: list[str]) -> None:
    """spec/cli.md 14.2: a quote inside single quotes is written as `'\\''`."""
    assert arguments(" ".join(single_quoted(text).text for text in texts), shell=shell) == texts  # type: ignore[misc]


@given(text=TEXT | UGLY)
def test_secrets_show_nowhere_but_on_the_wire(text: str) -> None:
    """design.md, rule 1: a secret renders as `[REDACTED]` everywhere but on the wire."""
    secret = Sensitive(f"s3cr3t{text}")
    inner = query("echo", secret)
    for word in (secret, Raw(secret), Expanded(secret), Output(inner), joined("--x=", secret)):
        assert "s3cr3t" not in render(word, shown=True)
        assert "s3cr3t" in render(word, shown=False)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"K": "a b"}, '--env K="a b"'),
        ({"K": True}, '--env K="true"'),
        ({"K": False}, "--env K=false"),
        ({"K": 5}, '--env K="5"'),
        ({"K": 1.5}, '--env K="1.5"'),
        ({"K": None}, "--env K"),
        ({"K": ""}, "--env K"),
        ({"K": "  "}, "--env K"),
        ({"K": []}, "--env K"),
        ({"K": {}}, "--env K"),
        ({"K": Sensitive("x")}, "--env K=[REDACTED]"),
        ({"K": Sensitive("")}, "--env K"),
        ({"A": "1", "B": "2"}, '--env A="1" --env B="2"'),
        (["/a:/b", "$PWD/x:/y"], "--env /a:/b --env $PWD/x:/y"),
    ],
)
def test_key_value_flags(values: dict[str, object] | list[Word], expected: str) -> None:
    """spec/cli.md 3.3, spec/config.md 18.8: the key/value helper."""
    assert shown(key_values("--env", values)) == expected


@pytest.mark.parametrize(
    ("values", "separate", "equal"),
    [
        ({"cpus": "2"}, '--cpus "2"', '--cpus="2"'),
        ({"cpus": 0.5}, '--cpus "0.5"', '--cpus="0.5"'),
        ({"init": True}, "--init", "--init"),
        ({"init": False}, '--init "false"', '--init="false"'),
        ({"cap-add": ("A", "B")}, '--cap-add "A" --cap-add "B"', '--cap-add="A" --cap-add="B"'),
        ({"x": ("a", True)}, '--x "a" --x', '--x="a" --x'),
        ({"x": ()}, "", ""),
        ({"x": None}, "--x ", "--x="),
        ({"x": ""}, "--x ", "--x="),
        ({"p": ("1:1",)}, '--p "1:1"', '--p="1:1"'),
    ],
)
def test_option_flags(values: dict[str, object], separate: str, equal: str) -> None:
    """spec/config.md 18.8: the options helper, and its form for the proxy."""
    assert (shown(options(values)), shown(options(values, separator="="))) == (separate, equal)


def test_dumped_form_leaves_other_alphabets_alone() -> None:
    """spec/cli.md 3.4: the escaped form without quotes around it."""
    assert dumped('é"\n世') == 'é\\"\\n世'
