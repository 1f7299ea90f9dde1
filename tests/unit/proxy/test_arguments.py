"""The proxy's argument vector, read as the reference reads it (spec/proxy.md 3.1)."""

from __future__ import annotations

import pytest

from pykamal.proxy.arguments import Call, parse
from pykamal.proxy.errors import UsageProblem
from pykamal.proxy.go_values import parse_int, parse_list, quoted

pytestmark = pytest.mark.unit


def call_of(*argv: str) -> Call:
    call = parse(list(argv))
    assert isinstance(call, Call)
    return call


@pytest.mark.parametrize(
    "argv",
    [
        ("deploy", "web", "--target", "t1", "--tls=false"),
        ("deploy", "--target=t1", "--tls=F", "web"),
        ("--target", "t1", "deploy", "--tls=0", "web"),
        ("deploy", "--tls", "--tls=false", "--target", "t0", "--target=", "--target", "t1", "--", "web"),
        ("deploy", "--help=false", "-h=false", "web", "--target", "t1", "--tls=False"),
    ],
)
def test_flags_stand_anywhere_and_in_either_form(argv: tuple[str, ...]) -> None:
    """Before and after the argument, with an equals sign or without; the last of several counts, lists grow."""
    call = call_of(*argv)
    assert (call.command.words, call.arguments, call.values["tls"]) == ("deploy", ["web"], False)
    targets = call.values["target"]
    assert isinstance(targets, list)
    assert targets[-1] == "t1"
    assert sorted(call.given) == ["target", "tls"]


def test_what_follows_two_hyphens_is_no_flag() -> None:
    """A lone hyphen is none either; a value may begin with hyphens."""
    assert call_of("remove", "--", "--force").arguments == ["--force"]
    assert call_of("remove", "-").arguments == ["-"]
    assert call_of("stop", "web", "--message", "--x").values["message"] == "--x"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--bogus",), "unknown flag: --bogus"),
        (("rollout", "--bogus"), "unknown flag: --bogus"),
        (("deploy", "--help", "--bogus"), "unknown flag: --bogus"),
        (("deploy", "s", "---x"), "bad flag syntax: ---x"),
        (("deploy", "s", "--=x"), "bad flag syntax: --=x"),
        (("deploy", "s", "-x"), "unknown shorthand flag: 'x' in -x"),
        (("deploy", "s", "--target"), "flag needs an argument: --target"),
        (('say "hi"\n',), r'unknown command "say \"hi\"\n" for "kamal-proxy"'),
        (("list", "a\nb"), r'unknown command "a\nb" for "kamal-proxy list"'),
    ],
)
def test_wrong_command_lines(argv: tuple[str, ...], message: str) -> None:
    """One line each, whatever was typed."""
    with pytest.raises(UsageProblem) as caught:
        parse(list(argv))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("argv", "begins"),
    [
        (("help",), "HTTP proxy"),
        (("help", "bogus"), "HTTP proxy"),
        (("help", "deploy"), "Deploy a target host"),
        (("help", "rollout", "set"), "Set which traffic"),
        (("ls", "-h"), "List the services"),
        (("deploy", "--help=true", "a", "b"), "Deploy a target host"),
    ],
)
def test_help(argv: tuple[str, ...], begins: str) -> None:
    """Of the program or of the subcommand; it needs neither arguments nor required flags."""
    text = parse(list(argv))
    assert isinstance(text, str)
    assert text.startswith(begins)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("0", 0), ("-5", -5), ("+5", 5), ("010", 8), ("0o17", 15), ("0x1F", 31), ("0b11", 3), ("1_000", 1000)],
        *[("0x_1f", 31), (str(2**63 - 1), 2**63 - 1), (str(-(2**63)), -(2**63))],
    ],
)
def test_integers_are_go_literals(text: str, number: int) -> None:
    """Like those that the reference's library accepts."""
    assert parse_int(text) == number


@pytest.mark.parametrize(
    "text", ["", "-", "08", "1__0", "_1", "1_", "0x", "1.0", "1e3", " 1", "1\n", "٣", "--7", str(2**63), "9" * 5000]
)
def test_other_integers_are_refused(text: str) -> None:
    """With the text in the reason."""
    with pytest.raises(ValueError, match=r"^strconv\.ParseInt: parsing ") as caught:
        parse_int(text)
    assert quoted(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, b", ["a", " b"]),
        ("a,,b,", ["a", "", "b", ""]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say ""hi""",""', ['say "hi"', ""]),
        ("a,b\n", ["a", "b"]),
        (',"",', ["", "", ""]),
        (f'"{"x," * 100_000}"', ["x," * 100_000]),
    ],
)
def test_lists_are_lines_of_csv(text: str, values: list[str]) -> None:
    """Commas part, unless they stand between quotes."""
    assert parse_list(text) == values


@pytest.mark.parametrize("text", ['"a', '"a"b', 'a"b', ' "a"', '"a" ,b', 'a,"', '"a\n"b', 'a\n"b"'])
def test_stray_quotes_are_refused(text: str) -> None:
    """A value has quotes around it or none."""
    with pytest.raises(ValueError, match="parse error"):
        parse_list(text)
