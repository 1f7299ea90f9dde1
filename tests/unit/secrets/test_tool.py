"""The program of a secret manager: what it is given, how long it may take, and what of it an error tells."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError, ToolMissing, UnexpectedAnswer
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.tool import SECONDS_VARIABLE, OncePerRun, Tool, listed, value_of

pytestmark = pytest.mark.unit

VALUE = "value-hush"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """A program without a body yet; `body` gives it one."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Tool("keeper", "Keeper CLI", "https://keeper.example.com")


def body(tmp_path: Path, text: str) -> None:
    program = tmp_path / "keeper"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def told(error: KamalError) -> str:
    return "\n".join((error.message, *error.details, error.hint or ""))


def test_arguments_and_variables_reach_it_unchanged(tool: Tool, tmp_path: Path) -> None:
    """Arguments are words, not shell text: nothing in them is expanded. A session travels in the environment."""
    body(tmp_path, 'printf "%s|" "$@" "$SESSION"')
    answer = tool.run("a b", "$HOME", "'\"`", "", environment={"SESSION": Sensitive("s-hush")})
    assert answer.text() == Sensitive("a b|$HOME|'\"`||s-hush|")


def test_an_identity_on_standard_input(tool: Tool, tmp_path: Path) -> None:
    """It arrives whole, and a program that does not read it is no error."""
    body(tmp_path, "cat")
    secret = Sensitive("line\n\udcff" + "x" * (1 << 20))
    assert tool.run("-", stdin=secret).text() == secret
    body(tmp_path, "echo unread")
    assert tool.run("-", stdin=secret).text() == Sensitive("unread")


def test_one_login_after_another(tool: Tool, tmp_path: Path) -> None:
    """Managers are asked in parallel, and a person is asked one question at a time. Other questions need not wait."""
    body(
        tmp_path,
        f"mkdir {tmp_path}/asking || {{ echo together; exit; }}; sleep 0.3; rmdir {tmp_path}/asking; echo alone",
    )
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: tool.run(login=True).text().reveal(), range(3)))
    assert answers == ["alone"] * 3
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: tool.run().text().reveal(), range(2)))
    assert sorted(answers) == ["alone", "together"]


def test_what_is_missing_is_told(tool: Tool, tmp_path: Path) -> None:
    """spec/cli.md 16.3: the text if missing, for a program that is not there and for one that does not work."""
    with pytest.raises(ToolMissing, match=r"^Keeper CLI is not installed$") as missing:
        tool.require()
    assert missing.value.label == "RuntimeError"
    assert "https://keeper.example.com" in (missing.value.hint or "")
    body(tmp_path, "echo no license >&2; exit 1")
    with pytest.raises(ToolMissing) as broken:
        tool.require()
    assert broken.value.details == ("keeper exit status: 1", "no license")


def test_its_presence_is_asked_for_once(tool: Tool, tmp_path: Path) -> None:
    """Several `$(kamal secrets fetch ...)` of one file ask the program for its version once."""
    body(tmp_path, f"echo asked >> {tmp_path}/count")
    tool.require()
    tool.require()
    assert (tmp_path / "count").read_text() == "asked\n"


def test_a_failure_has_its_complaint_and_never_its_output(tool: Tool, tmp_path: Path) -> None:
    """Standard error is evidence; standard output may be a value."""
    body(tmp_path, f"echo {VALUE}; echo denied >&2; exit 3")
    with pytest.raises(KamalError, match=r"^Could not read x$") as caught:
        tool.run("get").expect("Could not read x", hint="log in")
    assert caught.value.details == ("keeper exit status: 3", "denied")
    assert VALUE not in told(caught.value) + repr(tool.run("get"))


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (f'{{"a": "{VALUE}', "is not JSON"),
        (f"\\377{VALUE}", "is not UTF-8 text"),
        ("", "is empty"),
        (f'["{VALUE}"]', "is no JSON object"),
    ],
)
def test_an_answer_that_is_no_answer(tool: Tool, tmp_path: Path, output: str, problem: str) -> None:
    """Half an answer, another encoding, nothing, another shape: an error that quotes nothing of it, nor its cause."""
    body(tmp_path, f"printf '%b' '{output}'")
    with pytest.raises(UnexpectedAnswer, match=r"^Could not read x$") as caught:
        tool.run("get").object("Could not read x")
    assert problem in caught.value.details[0]
    assert VALUE not in told(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_program_that_hangs_is_ended(tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that it started, where there is no terminal; the time limit is the user's."""
    monkeypatch.setenv(SECONDS_VARIABLE, "0.3")
    body(tmp_path, "sleep 60 & sleep 60")
    began = time.monotonic()
    with pytest.raises(KamalError, match=r"keeper did not answer within 0\.3 seconds") as caught:
        tool.run("get")
    assert time.monotonic() - began < 10
    assert SECONDS_VARIABLE in (caught.value.hint or "")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf"])
def test_a_time_limit_that_is_none(tool: Tool, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Told, rather than taken for no limit."""
    monkeypatch.setenv(SECONDS_VARIABLE, text)
    with pytest.raises(KamalError, match=f"{SECONDS_VARIABLE} is no number of seconds: {text}"):
        tool.run("get")


def test_a_name_with_a_nul_byte(tool: Tool, tmp_path: Path) -> None:
    """No argument of a program can hold one."""
    body(tmp_path, "exit 0")
    with pytest.raises(KamalError, match="NUL byte"):
        tool.run("a\0b")


def test_what_is_found_out_once() -> None:
    """A result is kept; a failure is found out again, since the user may have put it right."""
    found = []

    def fails() -> int:
        found.append("tried")
        raise KamalError("no")

    once: OncePerRun[int] = OncePerRun()
    for _ in range(2):
        with pytest.raises(KamalError):
            once.get("key", fails)
    assert found == ["tried", "tried"]
    assert [once.get("key", lambda: 1), once.get("key", lambda: 2), once.get("other", lambda: 3)] == [1, 1, 3]


def test_values_and_lists_of_names() -> None:
    """Values are texts, other types as JSON (spec/cli.md 16.3, aws); lists as Ruby prints them."""
    assert [value_of(each) for each in ("a", "", 1, True, {"a": "ü"}, None)] == [
        *map(Sensitive, ("a", "", "1", "true", '{"a":"ü"}')),
        None,
    ]
    assert listed(["a", 'b"c']) == '["a", "b\\"c"]'


def test_one_key_does_not_wait_for_another() -> None:
    """A login that takes long holds up those that need it, and no other account."""
    once: OncePerRun[int] = OncePerRun()
    both = threading.Barrier(2)

    def find_out() -> int:
        return both.wait(30)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda key: once.get(key, find_out), ["a", "b", "a", "b"]))
    assert sorted(found[:2]) == [0, 1]
    assert found[:2] == found[2:]
