"""Variables of the environment, and any program, as sources of secrets (docs/secrets.md)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError, ToolMissing
from pykamal.core.sensitive import reveal
from pykamal.secrets.adapters.environment_variables import Environment
from pykamal.secrets.adapters.exec import SETTINGS, Exec
from pykamal.secrets.adapters.settings import Settings
from pykamal.secrets.adapters.tool import SECONDS_VARIABLE

pytestmark = pytest.mark.unit

KAMAL = Path(sys.executable).with_name("kamal")
HIDDEN = "hush-4c1d"


def fetch(*names: str, source: str | None = None, **declared: str) -> dict[str, str | None]:
    found = Exec(Settings(SETTINGS, declared=declared)).fetch(names, account=None, source=source)
    return {name: None if each is None else reveal(each) for name, each in found.items()}


def told(error: KamalError) -> str:
    return "\n".join((error.message, *error.details, error.hint or "", str(error.__context__ or "")))


def printing(folder: Path, text: str, *, ending: str = "exit 0") -> str:
    """A program that counts its runs, prints a text and ends."""
    (folder / "text").write_text(text)
    program = folder / "shop-secrets"
    program.write_text(f'#!/bin/sh\necho run "$@" >> {folder}/runs\ncat {folder}/text\n{ending}\n')
    program.chmod(0o755)
    return str(program)


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """They arrive as they are, an empty one too; those that are missing are all named."""
    odd = {"KAMAL_A": "line\nquote\"' $HOME", "KAMAL_B": "", "KAMAL_C": "\udcff", "KAMAL_D": "x" * 100_000}
    for name, text in odd.items():
        monkeypatch.setenv(name, text)
    found = Environment().fetch(list(odd), account=None, source=None)
    assert {name: each and reveal(each) for name, each in found.items()} == {**odd, "KAMAL_B": found["KAMAL_B"]}
    assert found["KAMAL_B"] is not None
    with pytest.raises(KamalError, match="The environment has no KAMAL_GONE, KAMAL_LOST") as caught:
        Environment().fetch(["KAMAL_A", "KAMAL_GONE", "KAMAL_LOST"], account=None, source=None)
    assert "quote" not in told(caught.value)
    with pytest.raises(KamalError, match="takes no --from"):
        Environment().fetch(["KAMAL_A"], account=None, source="KAMAL")


@pytest.mark.process
def test_a_program_that_prints_a_document(tmp_path: Path) -> None:
    """It runs once for all names; JSON is told from dotenv by its first character, YAML by the setting."""
    odd = {f"n{number}": "line\nquote\"' $HOME \0 ü" for number in range(200)}
    command = printing(tmp_path, json.dumps({**odd, "long": "x" * (1 << 20), "empty": ""}))
    assert fetch(*odd, "empty", source=command) == {**odd, "empty": ""}
    assert len(fetch("long", command=command)["long"] or "") == 1 << 20
    assert (tmp_path / "runs").read_text() == "run\nrun\n"
    assert fetch("A.B", command=printing(tmp_path, "A.B='$1'\n")) == {"A.B": "$1"}
    assert fetch("a.b", command=printing(tmp_path, "a: {b: 012}\n"), format="yaml") == {"a.b": "012"}


@pytest.mark.process
def test_a_program_that_prints_a_value(tmp_path: Path) -> None:
    """With `{}` it runs once a name, as one word without a shell; #KEY takes a document apart."""
    program = printing(tmp_path, "two\nlines\n")
    assert fetch("a", "$(id) *", source=f"{program} --key={{}} 'x y'") == {"a": "two\nlines", "$(id) *": "two\nlines"}
    assert (tmp_path / "runs").read_text() == "run --key=a x y\nrun --key=$(id) * x y\n"
    program = printing(tmp_path, '{"user": "ada", "password": "p"}')
    (tmp_path / "runs").unlink()
    assert fetch("item#user", "item#password", command=f"{program} {{}}") == {"item#user": "ada", "item#password": "p"}
    assert (tmp_path / "runs").read_text() == "run item\n"


@pytest.mark.process
def test_odd_outputs(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are a value, and nothing is an empty one."""
    assert fetch("a", command="printf '\\377\\0x' {}") == {"a": "\udcff\0x"}
    assert fetch("a", command="true {}") == {"a": ""}


@pytest.mark.process
def test_kamal_prints_values_that_are_not_utf_8(tmp_path: Path) -> None:
    """The bytes are those of the program."""
    done = subprocess.run(
        [KAMAL, "secrets", "fetch", "--adapter", "exec", "--from", "printf '\\377x' {}", "a"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, b'{"a":"\xffx"}\n'), done.stderr


@pytest.mark.process
@pytest.mark.parametrize("ending", ["echo denied >&2; exit 3", "kill -9 $$", "sleep 60"])
def test_a_program_that_fails(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has its status and what it complained about, and nothing of what it printed or was given."""
    monkeypatch.setenv(SECONDS_VARIABLE, "2")
    program = printing(tmp_path, f'{{"a": "{HIDDEN}"}}', ending=ending)
    with pytest.raises(KamalError, match=r"gave no secrets|did not answer within 2 seconds") as caught:
        fetch("a", command=f"{program} --token {HIDDEN}")
    assert caught.value.hint
    assert HIDDEN not in told(caught.value)
    if "denied" in ending:
        assert caught.value.details == (f"{program} exit status: 3", "denied")


@pytest.mark.process
@pytest.mark.parametrize("text", ["", f"garbage {HIDDEN}", f'{{"a": "{HIDDEN}'])
def test_an_output_that_is_no_document(tmp_path: Path, text: str) -> None:
    """Half an answer is refused, and is not shown."""
    with pytest.raises(KamalError, match=r"The output of .*(has nothing at a|cannot be read as json)") as caught:
        fetch("a", command=printing(tmp_path, text))
    assert HIDDEN not in told(caught.value)


@pytest.mark.parametrize("command", ["", "  ", f"'{HIDDEN}"])
def test_no_command(command: str) -> None:
    """A command that is missing, or whose quotes do not fit, is told without its text."""
    with pytest.raises(KamalError, match="has no command") as caught:
        fetch("a", source=command)
    assert HIDDEN not in told(caught.value)


@pytest.mark.process
def test_a_missing_program() -> None:
    with pytest.raises(ToolMissing, match="no-such-program is not installed"):
        fetch("a", command="no-such-program {}")


def test_no_names() -> None:
    """Nothing is run for nothing."""
    with pytest.raises(KamalError, match="No secrets given to fetch"):
        fetch(command="no-such-program")
