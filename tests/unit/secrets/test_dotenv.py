"""The grammar of secrets files."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.core.errors import ConfigurationError
from pykamal.secrets.command_substitution import substitute
from pykamal.secrets.dotenv import entries, parse

pytestmark = pytest.mark.unit


def values(text: str, **environment: str) -> dict[str, str]:
    return parse(text, substitute=substitute, environment=environment)


@pytest.mark.process
@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("B = spaced value   # c", "spaced value"),
        ("HASH=a#b", "a"),
        ('HASH2="a#b" # c', "a#b"),
        (r"S='single $A $(echo no) \n'", r"single $A $(echo no) \n"),
        (r'D="double $A \$A $(echo cmd) \n \t \"q\""', r'double plain $A cmd \n t "q"'),
        (r"UN=un$A-${A}\$A\n$(echo sub $A)", "unplain-plain$Ansub plain"),
        ("COLON: yaml style", "yaml style"),
        ("NEST=$(echo $(echo nested))", "nested"),
        ("FAIL=$(exit 3)", ""),
        ("ENVX=$ENVX", "from environment"),
        ("REF=$C", ""),
        ("DOLLAR=a$ b $1 $$", "a$ b  $$"),
        ('Q2=$(echo "has # hash")', '$(echo "has'),
    ],
)
def test_observed_results(entry: str, expected: str) -> None:
    """The table of results observed of Ruby Kamal (cli.md 16.1)."""
    found = values(f"A=plain\n{entry}\n", ENVX="from environment")
    assert list(found.values())[-1] == expected


@pytest.mark.process
@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("A=plain", "plain"),
        ("B = spaced", "spaced"),
        ("N: yaml-style", "yaml-style"),
        ("export C=x", "x"),
        ("I=a#b", "a"),
        ("J=a #b", "a"),
        ('K="a #b"', "a #b"),
        (r'L="dq \n esc \" $A ${A} \$A"', r'dq \n esc " plain plain $A'),
        (r"S=a\nb", "anb"),
        ("U=[$UNDEFINED]", "[]"),
        ('O="$(echo out)"', "out"),
        (r"E=\$(echo no)", "$(echo no)"),
        ("T=`echo no`", "`echo no`"),
        ('M="two\nlines"', "two\nlines"),
    ],
)
def test_observed_parse_results(entry: str, expected: str) -> None:
    """The table of results that the configuration relies on (config.md 1.6)."""
    assert list(values(f"A=plain\n{entry}\n").values())[-1] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=\n'x'\n", {"A": "x"}),
        ("L\n=5\n", {"L": "5"}),
        ("M:\n x\n", {"M": "x"}),
        ("A:b\n", {}),
        ("KEY   # comment\n", {"KEY": ""}),
        ("two words\nA=1\n", {"A": "1"}),
        ("G='x' y\n", {"G": "'x' y"}),
        ('H="x" "y"\n', {"H": 'x" "y'}),
        ('E="a\\"\nF=b\n', {"E": "a\\", "F": "b"}),
        ('E="open\nF=b\n', {"E": '"open', "F": "b"}),
        ("A=1\nB=$A}${A\n", {"A": "1", "B": "11"}),
        ("A=$()x${}\n", {"A": "$()x${}"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=1\nexport A\n", {"A": "1"}),
        ("# A=1\n", {}),
    ],
)
def test_corners(text: str, expected: dict[str, str]) -> None:
    """White space may hold line breaks, half-quoted values stay as they are; checked against Ruby Kamal 2.11."""
    assert values(text) == expected


def test_export_without_value_is_an_error() -> None:
    """`export KEY` of a key not set before is fatal, and the place is named (cli.md 16.1)."""
    with pytest.raises(ConfigurationError, match=r"\.kamal/secrets:2:1: `export B` has no value"):
        values("A=1\nexport B\n")


def test_legacy_line_breaks() -> None:
    """`\\n` in double quotes is a line break only in the legacy mode, which the file or the environment sets."""
    assert values('A="x\\ny"\n') == {"A": "x\\ny"}
    assert values('A="x\\ny"\n', DOTENV_LINEBREAK_MODE="legacy") == {"A": "x\ny"}
    assert values('DOTENV_LINEBREAK_MODE=legacy\nA="x\\ny"\n')["A"] == "x\ny"


@pytest.mark.process
def test_output_of_commands_is_expanded() -> None:
    """Variables are replaced in the whole result, command output included (cli.md 22, 14)."""
    assert values("X=$(printf 'p$HOME')\n", HOME="/root") == {"X": "p/root"}


def test_commands_run_in_order_with_variables_replaced() -> None:
    """A command sees the entries above it as text, not as its environment (cli.md 16.1, rule 4)."""
    asked: list[str] = []

    def record(command: str) -> str:
        asked.append(command)
        return f"<{command}>"

    found = parse('A=1\nB=$(one $A "(x)")\nC=$(two (nested))$(three)\n', substitute=record, environment={})
    assert asked == ['one 1 "(x)"', "two (nested)", "three"]
    assert found["C"] == "<two (nested)><three>"


def test_entries_know_their_lines() -> None:
    """Entries behind a value of several lines are still placed right."""
    found = [(entry.key, entry.line) for entry in entries("# c\nA='1\n2\n3'\n\n  B=4\n")]
    assert found == [("A", 2), ("B", 6)]


@given(st.text(alphabet="ab\"'\\$(){}#=: \nA1", max_size=60))
def test_any_text_is_read(text: str) -> None:
    """No file is refused for its form, and nothing runs that was not inside `$(...)`."""
    ran: list[str] = []

    def record(command: str) -> str:
        ran.append(command)
        return ""

    parse(text, substitute=record, environment={})
    assert not ran or "$(" in text


@given(st.text(alphabet=st.characters(exclude_characters="'\r\x00", exclude_categories=["Cs"]), max_size=40))
def test_single_quotes_keep_everything(value: str) -> None:
    """Nothing inside single quotes is processed (cli.md 16.1)."""
    if value.endswith("\\"):
        value += "."
    assert values(f"A='{value}'\n") == {"A": value}


def test_kamal_secrets_runs_inside_this_process() -> None:
    """`fetch` answers shell-escaped JSON that a later `extract` takes unquoted (cli.md 16.1 and 16.2)."""
    found = values(
        "F=$(kamal secrets fetch --adapter test --account me --from vault ONE 'T$WO')\n"
        "A=$(kamal secrets extract ONE $F)\n"
        "B=$(kamal secrets extract vault/ONE $F)\n"
    )
    assert found["F"].startswith(r"\{\"vault/ONE\":\"ENO/tluav\",")
    assert found["A"] == found["B"] == "ENO/tluav"


@pytest.mark.process
def test_standard_error_of_commands_passes_through(capfd: pytest.CaptureFixture[str]) -> None:
    """Only standard output is taken; what a helper says to people reaches them (cli.md 16.1, rule 4)."""
    assert values("A=$(echo told >&2; echo kept)\n") == {"A": "kept"}
    assert capfd.readouterr().err == "told\n"


@pytest.mark.process
def test_the_shell_sees_the_text_without_backslashes() -> None:
    """Rule 3 comes before rule 4: `printf 'x\\ny'` runs `printf xny` (cli.md 16.1)."""
    ran: list[str] = []

    def record(command: str) -> str:
        ran.append(command)
        return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout

    assert parse("A=$(printf 'x\\ny')\n", substitute=record, environment={}) == {"A": "xny"}
    assert ran == ["printf 'xny'"]


@pytest.mark.process
def test_a_value_in_a_command_is_no_argument_of_a_process() -> None:
    """All users of a machine see arguments: the shell gets the command, with the values in it, by a pipe."""
    look = "ps -ww -o args= -p $$; :"
    planted = subprocess.run(["sh", "-c", f"{look} canary-7a1f"], capture_output=True, text=True, check=True).stdout
    assert "canary-7a1f" in planted, "the search finds an argument"
    found = values(f"A=canary-7a1f\nB=$({look} $A)\nC=$(echo $A)\n", PATH=os.environ["PATH"])
    assert "sh" in found["B"]
    assert "canary" not in found["B"]
    assert found["C"] == "canary-7a1f"


@pytest.mark.process
def test_a_command_may_be_longer_than_an_argument() -> None:
    """Linux has a limit of 128 KiB for one argument, and certificates come in bundles."""
    found = values(f"A={'x' * 300_000}\nB=$(printf %s $A | wc -c)\nC=$(exit 0; : $A)\n")
    assert found["B"].strip() == "300000"
    assert found["C"] == ""
