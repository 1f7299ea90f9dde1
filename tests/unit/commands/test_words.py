"""Quoting: what a word looks like, and what real shells read back."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pykamal.commands.command import query
from pykamal.commands.words import (
    DoubleQuoted,
    Expanded,
    HostValue,
    Output,
    SingleQuoted,
    Syntax,
    Word,
    double_quoted,
    dumped,
    joined,
    key_values,
    options,
    render,
    with_tokens,
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


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(
        (TEXT | UGLY).filter(lambda text: text and not re.search(r"\$\{[A-Za-z_]\w*\}", text)), min_size=1, max_size=10
    )
)
def test_shells_read_the_double_quoted_form_back(shell: str, texts: list[str]) -> None:
    """spec/config.md 18.7: nothing but `${NAME}` is expanded; control characters stay literal backslash sequences."""
    assert arguments(" ".join(map(double_quoted, texts)), shell=shell) == list(map(ruby_form, texts))


HOST = "HOME=/home/me PWD=/home/me IP=10.0.0.1 TWO='a  b*'"
LITERAL = [
    "$(echo x)",
    "`echo x`",
    "${IP:-$(echo x)}",
    "${IP@P}",
    "${#IP}",
    "${!IP}",
    "$((1+1))",
    "$1",
    "$$",
    "${}",
    "$",
]
"""Texts behind a dollar sign that are no plain name."""


def on_host(words: list[Word], shell: str) -> list[str]:
    """The arguments that a program gets on a host with the variables of `HOST`."""
    return arguments(" ".join(render(word, shown=False) for word in words), shell=shell, before=f"{HOST}\n")


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_shells_expand_braced_names_only(shell: str) -> None:
    """spec/config.md 18.7: `${HOST}` is the host's business, `$HOST` is text; so is all that is more than a name."""
    values = ["${IP}", "$IP", "a${TWO}b$", "#${IP}", *LITERAL]
    expected = ["10.0.0.1", "$IP", "aa  b*b$", "\\#10.0.0.1", *LITERAL]
    assert on_host([Expanded(value) for value in values], shell) == expected
    assert on_host([DoubleQuoted(value) for value in ["${IP}", *LITERAL]], shell) == ["${IP}", *LITERAL]


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_host_values_are_completed_by_the_host(shell: str) -> None:
    """`$NAME`, `${NAME}`, and `~/` at the beginning, as files have them; the rest is literal, one word in all."""
    completed = {
        "$PWD/a b:/c": "/home/me/a b:/c",
        "${HOME}x": "/home/mex",
        "$IP:80": "10.0.0.1:80",
        "a${TWO}b": "aa  b*b",
        "~/data:/data": "/home/me/data:/data",
        "$IPx*": "*",
    }
    literal = ["a~/b", "a:~/b", "~you/x", "", *LITERAL]
    words: list[Word] = [HostValue(value) for value in [*completed, *literal]]
    assert on_host(words, shell) == [*completed.values(), *literal]
    inside = joined("x=", HostValue("~/b"), Syntax("$PWD"), HostValue("/c d"))
    assert on_host([inside], shell) == ["x=~/b/home/me/c d"]


@pytest.mark.parametrize(
    "text",
    ["/a:/b", "$PWD/x:/y", "$HOME/.cache:/c", "default=$SSH_AUTH_SOCK", "mode=max", "~/x:/y", "type=gha,scope=x"],
)
def test_harmless_host_values_look_as_ruby_kamal_writes_them(text: str) -> None:
    """spec/config.md 18.8: an item of a list stands as it is."""
    assert render(HostValue(text), shown=False) == text


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXT | UGLY, min_size=1, max_size=10))
def test_shells_read_host_values_back(shell: str, texts: list[str]) -> None:
    """A value without a name behind a dollar sign or `~/` at its beginning arrives as it is."""
    literal = [text for text in texts if not re.search(r"\$\{?[A-Za-z_]|^~/", text)]
    assume(literal)
    assert arguments(" ".join(render(HostValue(text), shown=False) for text in literal), shell=shell) == literal


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXT | UGLY, min_size=1, max_size=10))
def test_shells_read_the_text_behind_an_output_back(shell: str, texts: list[str]) -> None:
    """spec/cli.md 14.10: the images that pruning spares stand behind those in use, in one word."""
    words = " ".join(render(Output(query("printf", "x"), text), shown=False) for text in texts)
    assert arguments(words, shell=shell) == [f"x{text}" for text in texts]


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None)
@given(value=(TEXT | UGLY).filter(bool))
def test_tokens_are_literal_wherever_they_stand(shell: str, value: str) -> None:
    """ssh_config(5), TOKENS: a host or a user is literal in a ProxyCommand, bare and in quotes."""
    line = with_tokens('%h \'a %h\' "b %h" c%h\\%h %% %x \'\\%h\' "\\"%h"', {"h": value, "%": "%"})
    expected = [value, f"a {value}", f"b {value}", f"c{value}{value}", "%", "%x", f"\\{value}", f'"{value}']
    assert arguments(line, shell=shell) == expected


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXT | UGLY, min_size=1, max_size=10))
def test_shells_read_plain_words_back(shell: str, texts: list[str]) -> None:
    """design.md, rule 1: a `str` is one argument, whatever is in it."""
    assert arguments(" ".join(render(text, shown=False) for text in texts), shell=shell) == texts


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXT | UGLY, min_size=1, max_size=10))
def test_shells_read_single_quotes_back(shell: str, texts: list[str]) -> None:
    """spec/cli.md 14.2: a quote inside single quotes is written as `'\\''`."""
    assert arguments(" ".join(render(SingleQuoted(text), shown=False) for text in texts), shell=shell) == texts


@given(text=TEXT | UGLY)
def test_secrets_show_nowhere_but_on_the_wire(text: str) -> None:
    """design.md, rule 1: a secret renders as `[REDACTED]` everywhere but on the wire."""
    secret = Sensitive(f"s3cr3t{text}")
    inner = query("echo", secret)
    for word in (secret, Expanded(secret), Output(inner), SingleQuoted(inner), joined("--x=", secret)):
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
