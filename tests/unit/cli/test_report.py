"""Errors and questions."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pykamal.cli.invocation import Invocation
from pykamal.cli.prompt import confirmed
from pykamal.cli.report import failed, report
from pykamal.core.errors import CommandFailed, HostErrors, Interrupted, KamalError, UsageError
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, Event, Message, RunFailed, Tone

pytestmark = pytest.mark.unit


def reported(error: Exception) -> tuple[int, RunFailed]:
    events: list[Event] = []
    code = report(error, Invocation("deploy", bus=Bus(events.append)))
    (event,) = events
    assert isinstance(event, RunFailed)
    return code, event


def test_an_error_with_its_evidence() -> None:
    """Label, message with the host, redacted command, output, hint; exit code 1 (cli.md 4.5, 6.1)."""
    error = CommandFailed("docker run", exit_status=3, stderr="no\n", host="h", hint="do this")
    code, event = reported(error)
    assert code == 1
    assert (event.operation, event.identifier, event.label) == ("deploy", "command-failed", "SSHKit::Command::Failed")
    assert event.message == "Exception while executing on host h: docker exit status: 3"
    assert event.details == ("command: docker run", "docker stdout: Nothing written", "docker stderr: no")
    assert event.hint == "do this"


def test_errors_of_several_hosts_keep_all_their_evidence() -> None:
    """No host's failure is lost (design.md, rule 3)."""
    errors = [CommandFailed("docker", exit_status=1, stderr=f"on {host}", host=host) for host in ("a", "b")]
    _, event = reported(HostErrors(errors))
    assert event.message.splitlines()[0] == "Exceptions on 2 hosts:"
    assert event.details[0] == "a:"
    assert "  docker stderr: on a" in event.details
    assert "  docker stderr: on b" in event.details


def test_a_host_that_names_its_user() -> None:
    """spec/cli.md 6.4: `as USER@HOST`, alone and among others."""
    errors = [KamalError("no", host="ada@h1"), KamalError("no", host="h2")]
    assert failed(errors[0], "deploy").message == "Exception while executing as ada@h1: no"
    lines = HostErrors(errors).message.splitlines()
    assert lines[1:] == ["Exception while executing as ada@h1: no", "Exception while executing on host h2: no"]


@pytest.mark.parametrize(("signal_number", "code"), [(2, 130), (15, 143), (13, 141)])
def test_interrupts(signal_number: int, code: int) -> None:
    """The shell's convention; what failed while stopping is told (cli.md 5)."""
    error = Interrupted(signal_number)
    error.__cause__ = KamalError("could not release the lock")
    found, event = reported(error)
    assert found == code
    assert event.identifier == "interrupted"
    assert event.details == ("while stopping: could not release the lock",)


def test_a_message_is_not_repeated() -> None:
    """Evidence that says what the message says is left out."""
    assert reported(KamalError("same", details=("same", "more")))[1].details == ("more",)


def test_a_lone_error_of_a_task_group() -> None:
    """An expected fault is reported as such, however the tasks were grouped."""
    code, event = reported(ExceptionGroup("tasks", [ExceptionGroup("tasks", [KamalError("lone")])]))
    assert (code, event.message) == (1, "lone")


def test_a_bug_leaves_a_log_for_its_owner_only() -> None:
    """Exit code 3, the class of the error, and a file with the traceback that the user is told of (style.md)."""
    code, event = reported(ZeroDivisionError("division by zero"))
    assert code == 3
    assert (event.identifier, event.label, event.message) == ("bug", "ZeroDivisionError", "division by zero")
    assert event.hint is not None
    log = Path(event.hint.rsplit(" ", 1)[1])
    try:
        text = log.read_text()
        assert log.stat().st_mode & 0o077 == 0
    finally:
        log.unlink()
    assert "ZeroDivisionError: division by zero" in text
    assert "kamal deploy\n" in text


def ask(answers: str, monkeypatch: pytest.MonkeyPatch, **options: object) -> tuple[bool, list[Event]]:
    events: list[Event] = []
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))
    invocation = Invocation("remove", options={"confirmed": False, **options}, bus=Bus(events.append))
    return confirmed(invocation, "Sure?"), events


def test_only_y_is_a_yes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The question with its answers; exactly `y` goes on (cli.md 12.6)."""
    assert ask("y\n", monkeypatch) == (True, [])
    assert capsys.readouterr().out == "Sure? [y, N] (N) "


@pytest.mark.parametrize("answers", ["N\n", "\n", ""])
def test_a_no(answers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`N`, Enter and the end of input; `Aborted` in red (cli.md 12.6; 22, 9)."""
    agreed, (event, *_) = ask(answers, monkeypatch)
    assert not agreed
    assert isinstance(event, Message)
    assert (event.text, event.tone) == ("Aborted", Tone.PROBLEM)


def test_anything_else_is_asked_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`Y` is no yes either (cli.md 12.6)."""
    assert ask("Y\nyes\ny\n", monkeypatch)[0]
    assert capsys.readouterr().out.count("Your response must be one of: [y, N]. Please try again.\n") == 2


def test_confirmed_on_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`-y` asks nothing (cli.md 12.6)."""
    assert ask("", monkeypatch, confirmed=True)[0]
    assert capsys.readouterr().out == ""


def test_machines_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--output json` nothing but events goes to standard output, so `--confirmed` is needed."""
    with pytest.raises(UsageError, match="cannot ask"):
        ask("y\n", monkeypatch, output="json")


def test_no_secret_in_a_report() -> None:
    """A `Sensitive` in a message stays hidden (design.md, rule 1)."""
    assert "hush" not in str(reported(KamalError(f"login with {Sensitive('hush')} failed")))
