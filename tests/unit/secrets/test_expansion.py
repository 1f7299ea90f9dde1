"""Losses in secrets files are told, with file and line, and without anything of a value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.core.diagnostics import Diagnostic
from pykamal.core.errors import SecretNotFound
from pykamal.secrets.command_substitution import substitute
from pykamal.secrets.dotenv import parse
from pykamal.secrets.shell_programs import missing_programs
from pykamal.secrets.store import Secrets

pytestmark = pytest.mark.unit


def remarks(text: str, *, printed: str = "", **environment: str) -> list[Diagnostic]:
    """Return the warnings about a file whose commands all print the same."""
    found: list[Diagnostic] = []
    parse(text, substitute=lambda _: printed, environment=environment, warn=found.append)
    return found


def identifiers(text: str, *, printed: str = "", **environment: str) -> list[str]:
    return [each.identifier for each in remarks(text, printed=printed, **environment)]


@pytest.mark.parametrize("printed", ["pa$word", "pa${word}", "pa${word", "$1", "a\\$b", "first\nsec$ond"])
def test_a_dollar_of_an_output_is_told(printed: str) -> None:
    """Variables are replaced in the output of commands too (cli.md 22, 14), and that is said with file and line."""
    (found,) = remarks("A=1\nB=x$(op read b)\n", printed=printed)
    assert (found.identifier, str(found).partition(": ")[0]) == ("eaten-dollar", ".kamal/secrets:2:1")
    assert "B loses" in found.message


@pytest.mark.parametrize("printed", ["word", "$", "a$ b", "$$", "cost: 5$", "$(x)", "${}"])
def test_a_dollar_that_stays_is_not_told(printed: str) -> None:
    """A `$` before anything but a name stays as it is (cli.md 16.1, rule 5)."""
    assert identifiers("B=$(op read b)\n", printed=printed) == []


@pytest.mark.parametrize("command", ["kamal secrets fetch --adapter test A", "op read b | sed 's/[$]/\\\\\\\\&/g'"])
def test_a_command_that_escapes_loses_nothing(command: str) -> None:
    """`fetch` escapes what it prints (cli.md 16.1), and so does the remedy of the rule."""
    assert identifiers(f"B=$({command})\n", printed="pa\\$word") == []
    assert identifiers(f"B=$({command})\n", printed="pa$word") == ["eaten-dollar"]


@pytest.mark.process
def test_the_remedy_for_an_eaten_dollar_works() -> None:
    """The command that the catalogue recommends keeps every `$` of a value."""
    found: list[Diagnostic] = []
    text = "A=$(cat value)\nB=$(cat value | sed 's/[$]/\\\\\\\\&/g')\n"
    Path("value").write_text("pa$word$HOME\n")
    values = parse(text, substitute=substitute, environment={"HOME": "/root"}, warn=found.append)
    assert values == {"A": "pa/root", "B": "pa$word$HOME"}
    assert [str(each).partition(" ")[0] for each in found] == [".kamal/secrets:1:1:"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".kamal").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".kamal"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("A=${TOKEN}", "A has `${TOKEN}` that is not set, so nothing is there"),
        ("A=$TOKEN", "A has a `$` and a name that is not set, so nothing is there"),
        ("A=$(awk '{print $1}')", "A has a `$` and a name that is not set, so nothing is there"),
        ("A=${TOKEN:-none}", "A has `${TOKEN...}` with more than a name in it, of which only the name counts"),
        ("A=${TOKEN?}", "A has `${TOKEN...}` with more than a name in it, of which only the name counts"),
        ("A=$(echo ${HOME%/})", "A has `${HOME...}` with more than a name in it, of which only the name counts"),
    ],
)
def test_references_that_a_shell_would_read_otherwise(entry: str, message: str) -> None:
    """`$UNSET` is empty and `${X:-default}` is no default (cli.md 16.1, rule 5), in values and in commands."""
    assert [each.message for each in remarks(f"{entry}\n", HOME="/root")] == [message]


@pytest.mark.parametrize("entry", ["A=$(op read a#b)", "A=$(f() { cat; }; f)", "A=x$(y", 'A="$(echo a"'])
def test_what_is_no_command_is_told(entry: str) -> None:
    """A `#` cuts a command off, and one with `()` in it is none (cli.md 16.1): the text would be the secret."""
    found = remarks(f"{entry}\n")
    assert [each.identifier for each in found] == ["no-command"]
    assert found[0].message == "A has a `$(` that is not taken for a command, and stays as text"


@pytest.mark.parametrize("entry", ['A="$(echo a#b)"', "A=\\$(x", "A='$(x'", "A=$(echo $(echo a))"])
def test_commands_that_are_whole(entry: str) -> None:
    """Quoted, escaped and nested ones are as they were meant."""
    assert "no-command" not in identifiers(f"{entry}\n")


@pytest.mark.parametrize("entry", ["A=$HOME", "A=${HOME}x", "A='$NO'", "A=\\$NO", "A=$(echo $HOME)", "B=1\nA=$B"])
def test_references_that_are_found(entry: str) -> None:
    """A variable of the environment or of an entry above is no loss."""
    assert identifiers(f"{entry}\n", HOME="/root") == []


def test_a_misspelled_variable() -> None:
    """A known name that is near is suggested."""
    (found,) = remarks("DATABASE_URL=x\nA=${DATABSE_URL}\n")
    assert found.remedy == "Did you mean DATABASE_URL?"


@given(st.text(alphabet="QJZ$", min_size=4, max_size=12), st.sampled_from(["A={}", 'A="{}"', "A=$(x {})", "A=$(x)"]))
def test_warnings_have_nothing_of_a_value(value: str, entry: str) -> None:
    """No part of a value is in a warning, though it has a `$` and what follows that looks like a variable."""
    for each in remarks(entry.format(value) + "\n", printed=value):
        text = f"{each} {each.remedy} {each.evidence}"
        assert not any(part in text for part in value.split("$") if part)


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("no-such op", ["no-such"]),
        ("X=1 no-such op", ["no-such"]),
        ("cat file | no-such-1 | no-such-2", ["no-such-1", "no-such-2"]),
        ("echo 'a; no-such'", []),
        ("/no/such op read", ["/no/such"]),
        ("sh -c no-such", []),
        ("kamal secrets extract A B", []),
        ("no-such || cat fallback", []),
        ("if no-such; then cat; fi", []),
        ("f() { cat; }; f", []),
        ("$PROGRAM read", []),
        ("no-such 'open", []),
        ("cd ../keys && ./no-such", []),
        (". ./library.sh; no-such", []),
        ("PATH=/opt/bin:/bin no-such", []),
        ("export PATH=/opt/bin; no-such", []),
        ("no-such-1 && cd keys && no-such-2", ["no-such-1"]),
    ],
)
def test_missing_programs(line: str, missing: list[str]) -> None:
    """Programs at the beginning of a command and behind `|`, `&&` and `;` are looked for; nothing unsure is."""
    assert list(missing_programs(line, os.environ["PATH"])) == missing


@pytest.mark.process
def test_a_missing_program_is_told(folder: Path) -> None:
    """Behind a pipe its absence shows nowhere else: the exit status is that of the last command."""
    (folder / "secrets").write_text("A=1\nB=$(no-such-op read | cat)\n")
    found: list[Diagnostic] = []
    assert Secrets(warn=found.append)["B"].reveal() == ""
    assert [str(each) for each in found] == [".kamal/secrets:2:1: B runs no-such-op, which is not installed here"]


@pytest.mark.parametrize(
    ("destination", "file", "message"),
    [
        ("staging", "secrets", "no secrets file is read with -d staging: there is .kamal/secrets, not "),
        ("staging", "secrets.stagin", "no secrets file is read with -d staging: there is .kamal/secrets.stagin, not "),
        (None, "secrets.staging", "no secrets file is read: there is .kamal/secrets.staging, not "),
    ],
)
def test_files_that_are_not_read(folder: Path, destination: str | None, file: str, message: str) -> None:
    """With a destination the plain file is not read (cli.md 16.1); where nothing else is there, that is told."""
    (folder / file).write_text("A=$(touch never)\n")
    found: list[Diagnostic] = []
    secrets = Secrets(destination=destination, warn=found.append)
    assert secrets.remarks()[0].message.startswith(message)
    assert secrets.all() == {}
    assert [each.identifier for each in found] == ["secrets-file-not-read"]
    assert f"Rename .kamal/{file}" in str(found[0].remedy)
    assert not Path("never").exists()


def test_a_file_that_is_read_is_enough(folder: Path) -> None:
    """The plain file may be for runs without a destination, where the common one serves both."""
    (folder / "secrets").write_text("A=1\n")
    (folder / "secrets-common").write_text("A=1\n")
    assert Secrets(destination="staging").remarks() == []


def test_remarks_run_nothing(folder: Path) -> None:
    """They are for those who only look: no command runs, and what needs none is told."""
    (folder / "secrets").write_text("A=$(touch never)\nB=${A:-x}\nC=$(no-such-program)\n")
    assert [each.identifier for each in Secrets().remarks()] == ["shell-expansion", "program-not-found"]
    assert not Path("never").exists()


def test_a_misspelled_name_is_suggested(folder: Path) -> None:
    """The hint of a missing secret names an entry that is nearly called so."""
    (folder / "secrets").write_text("DATABSE_URL=1\n")
    with pytest.raises(SecretNotFound) as caught:
        Secrets()["DATABASE_URL"]
    assert str(caught.value.hint).startswith("did you mean DATABSE_URL? Else add DATABASE_URL=")
