"""Events as lines for people."""

from __future__ import annotations

import io

import pytest

from pykamal.events import (
    CommandFinished,
    CommandOutput,
    CommandStarted,
    Event,
    HostResult,
    Level,
    Log,
    Message,
    PhaseStarted,
    Result,
    RunFailed,
    RunFinished,
    Stream,
    Tone,
)
from pykamal.events.lines import Lines, wants_colour

pytestmark = pytest.mark.unit

STARTED = CommandStarted(id="0cc54dd8", command="docker ps", host="127.0.0.1", user="root")
OUTPUT = CommandOutput(id="0cc54dd8", host="127.0.0.1", stream=Stream.STDOUT, text="one\ntwo\n")
FINISHED = CommandFinished(id="0cc54dd8", host="127.0.0.1", exit_status=0, seconds=0.4)


def shown(*events: Event, verbosity: str = "normal", coloured: bool = False) -> str:
    stream = io.StringIO()
    lines = Lines(stream, verbosity=verbosity, coloured=coloured)
    for event in events:
        lines(event)
    return stream.getvalue()


def test_commands_at_the_normal_level() -> None:
    """Running and Finished carry level and identifier; output and command line are for debug (cli.md 4.3)."""
    assert shown(STARTED, OUTPUT, FINISHED) == (
        "  INFO [0cc54dd8] Running docker ps on 127.0.0.1\n"
        "  INFO [0cc54dd8] Finished in 0.400 seconds with exit status 0 (successful).\n"
    )


def test_commands_when_verbose() -> None:
    """Each line of output has a tab before it (cli.md 4.3)."""
    assert shown(STARTED, OUTPUT, FINISHED, verbosity="verbose") == (
        "  INFO [0cc54dd8] Running docker ps on 127.0.0.1\n"
        " DEBUG [0cc54dd8] Command: docker ps\n"
        " DEBUG [0cc54dd8] \tone\n"
        " DEBUG [0cc54dd8] \ttwo\n"
        "  INFO [0cc54dd8] Finished in 0.400 seconds with exit status 0 (successful).\n"
    )


def test_quiet_commands_need_verbose() -> None:
    """Audit and lock commands are told at debug (cli.md 4.3)."""
    started = CommandStarted(id="a", command="mkdir", host="h", quiet=True)
    assert shown(started) == ""
    assert shown(started, verbosity="verbose").startswith(" DEBUG [a] Running mkdir on h\n")


def test_shown_commands_are_shown_as_they_run() -> None:
    """The output of a build is for the user to follow, also when quiet (cli.md 15.3, step 8)."""
    output = CommandOutput(id="a", host=None, stream=Stream.STDERR, text="#1 load\n", shown=True)
    assert shown(output) == shown(output, verbosity="quiet") == " DEBUG [a] \t#1 load\n"


def test_a_command_that_must_not_fail_has_no_finished_line() -> None:
    """The final error tells of it; one that may fail says so (cli.md 4.3)."""
    failed = CommandFinished(id="a", host="h", exit_status=3, seconds=1, failed=True)
    allowed = CommandFinished(id="a", host="h", exit_status=3, seconds=1)
    assert shown(failed) == ""
    assert shown(allowed) == "  INFO [a] Finished in 1.000 seconds with exit status 3 (failed).\n"


@pytest.mark.parametrize(
    ("host", "user", "expected"),
    [("10.0.0.1", "", "on 10.0.0.1"), ("deploy@10.0.0.1", "", "as deploy@10.0.0.1"), (None, "me", "as me@localhost")],
)
def test_where_a_command_runs(host: str | None, user: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user is named only where the host string has one; this machine has the user's name (cli.md 4.3)."""
    monkeypatch.setenv("USER", user)
    monkeypatch.delenv("LOGNAME", raising=False)
    monkeypatch.delenv("USERNAME", raising=False)
    assert shown(CommandStarted(id="a", command="true", host=host, user="root")).endswith(f"Running true {expected}\n")


def test_this_machine_without_a_user_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """`on localhost` when none of USER, LOGNAME and USERNAME is set (cli.md 4.3)."""
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert shown(CommandStarted(id="a", command="true", host=None)).endswith("Running true on localhost\n")


def test_levels() -> None:
    """The level is right-aligned in six columns (cli.md 4.3); quiet leaves errors."""
    logs = [Log(level=level, text="x") for level in Level]
    assert shown(*logs, verbosity="verbose") == " DEBUG x\n  INFO x\n  WARN x\n ERROR x\n"
    assert shown(*logs, verbosity="quiet") == " ERROR x\n"


def test_results_by_host() -> None:
    """A heading, the text stripped, an empty line; quiet drops the heading (cli.md 4.4)."""
    result = HostResult(host="127.0.0.1", text="  one\n\n")
    accessory = HostResult(host="h", text="one", kind="Accessory db")
    assert shown(result) == "App Host: 127.0.0.1\none\n\n"
    assert shown(result, verbosity="quiet") == "one\n\n"
    assert shown(accessory).startswith("Accessory db Host: h\n")


def test_results_without_a_heading_are_the_text_alone() -> None:
    """No empty line behind them, nor behind what ends a line itself (cli.md 14.8, `logs`; 16.2, `print`)."""
    assert shown(HostResult(host="h", text="  one\n\n", kind=None)) == "one\n"
    assert shown(HostResult(host="h", text="", kind=None), verbosity="quiet") == "\n"
    assert shown(Result(text="KEY=first\nlast\n"), Result(text="one")) == "KEY=first\nlast\none\n"


def test_raw_results() -> None:
    """Raw output of a command is written byte for byte (cli.md 4.4)."""
    assert shown(HostResult(host="h", text=" one\n\n", raw=True), verbosity="quiet") == " one\n\n"


def test_raw_results_are_byte_for_byte() -> None:
    """spec/cli.md 4.4: a dump is not text, and goes through whatever the encoding of the stream."""
    binary = io.BytesIO()
    data = bytes(range(256))
    stream = io.TextIOWrapper(binary, "ascii")
    Lines(stream)(HostResult(host="h", text=data.decode("utf-8", "surrogateescape"), raw=True))
    assert binary.getvalue() == data


def test_progress_messages() -> None:
    """Plain lines, held back when quiet, coloured by their tone (cli.md 4.2)."""
    assert shown(Message(text="Doing...")) == "Doing...\n"
    assert shown(Message(text="Doing..."), verbosity="quiet") == ""
    tones = [Message(text="x", tone=tone) for tone in Tone]
    assert shown(*tones, coloured=True) == "\x1b[35mx\x1b[0m\n\x1b[33mx\x1b[0m\n\x1b[31mx\x1b[0m\n"


def test_colours_of_commands() -> None:
    """Level 34, identifier 32, command bold 33, host 34 (cli.md 4.3)."""
    assert shown(STARTED, coloured=True) == (
        "\x1b[0;34;49m  INFO\x1b[0m [\x1b[0;32;49m0cc54dd8\x1b[0m] "
        "Running \x1b[1;33;49mdocker ps\x1b[0m on \x1b[0;34;49m127.0.0.1\x1b[0m\n"
    )


def test_the_time_all_took() -> None:
    """Two leading spaces, one decimal, also when quiet; other commands do not tell (cli.md 4.4)."""
    told = RunFinished(operation="deploy", seconds=12.34, announced=True)
    assert shown(told, verbosity="quiet") == "  Finished all in 12.3 seconds\n"
    assert shown(RunFinished(operation="audit", seconds=1)) == ""


def test_the_final_error() -> None:
    """`  ERROR (LABEL): MESSAGE`, what explains it, what to do next (cli.md 4.5)."""
    failure = RunFailed(
        operation="deploy",
        identifier="command-failed",
        label="SSHKit::Command::Failed",
        message="docker exit status: 3",
        details=("docker stdout: Nothing written", "docker stderr: no"),
        hint="look at the log",
    )
    assert shown(failure, verbosity="quiet") == (
        "  ERROR (SSHKit::Command::Failed): docker exit status: 3\n"
        "docker stdout: Nothing written\n"
        "docker stderr: no\n"
        "  Next: look at the log\n"
    )
    assert shown(failure, coloured=True).startswith(
        "  \x1b[31mERROR (SSHKit::Command::Failed): docker exit status: 3\x1b[0m\n"
    )


def test_results_without_a_host_and_events_nobody_reads() -> None:
    """A plan or the configuration is printed as it is; phases are for machines."""
    assert shown(PhaseStarted(phase="boot"), Result(text="a: 1")) == "a: 1\n"


@pytest.mark.parametrize(
    ("terminal", "environment", "expected"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (False, {"TERM": "xterm"}, False),
        (False, {"SSHKIT_COLOR": "1"}, True),
    ],
)
def test_colours_go_to_terminals(terminal: bool, environment: dict[str, str], expected: bool) -> None:
    """Terminals get colours, unless NO_COLOR or a dumb one forbids them; SSHKIT_COLOR forces them (cli.md 4.2, 4.3)."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    assert wants_colour(Terminal(), environment) is expected
