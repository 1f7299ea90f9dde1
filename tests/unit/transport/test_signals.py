"""Stopping a run (spec/cli.md 8.3): the lock is released, the exit status tells, a second signal is final."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pykamal.core.errors import Interrupted, KamalError
from pykamal.events import Event, Message
from pykamal.transport.signals import output_closed, run_until_done, surviving

pytestmark = pytest.mark.unit

PROGRAM = """
    import asyncio, sys
    from pykamal.core.errors import Interrupted
    from pykamal.events import Bus, Message
    from pykamal.transport.signals import run_until_done, surviving

    seconds = float(sys.argv[1])
    bus = Bus(surviving(lambda event: print(event.text, flush=True)))

    async def main():
        try:
            bus.say("working")
            for _ in range(600):
                await asyncio.sleep(0.05)
                bus.say("tick")
        finally:
            await asyncio.sleep(seconds)
            print("cleaned", file=sys.stderr, flush=True)
            bus.say("released")

    try:
        run_until_done(main(), on_stop=lambda number: print("stopping", number, file=sys.stderr, flush=True))
    except Interrupted as error:
        sys.stdout = None
        sys.exit(error.exit_code)
"""


class Program:
    def __init__(self, tmp_path: Path, clean_up_seconds: float = 0.0, *, prefix: tuple[str, ...] = ()) -> None:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(PROGRAM))
        self.process = subprocess.Popen(
            [*prefix, sys.executable, str(path), str(clean_up_seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "working\n"

    def end(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


@pytest.mark.process
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_first_signal_stops_in_order(tmp_path: Path, number: signal.Signals, status: int) -> None:
    """`finally` blocks run to their end, with time to wait in them; the status is 128 + N."""
    program = Program(tmp_path, 0.3)
    program.process.send_signal(number)
    assert program.end() == (status, f"stopping {number.value}\ncleaned\n")


@pytest.mark.process
def test_the_second_signal_is_final(tmp_path: Path) -> None:
    """A second Ctrl-C ends the process without waiting for the clean-up."""
    program = Program(tmp_path, 60)
    program.process.send_signal(signal.SIGINT)
    assert program.process.stderr is not None
    assert program.process.stderr.readline() == "stopping 2\n"
    started = time.monotonic()
    program.process.send_signal(signal.SIGINT)
    assert program.end() == (130, "")
    assert time.monotonic() - started < 10


@pytest.mark.process
def test_a_closed_output_stops_in_order(tmp_path: Path) -> None:
    """`kamal deploy | head` ends the run and releases the lock; what is said meanwhile is lost without harm."""
    program = Program(tmp_path)
    assert program.process.stdout is not None
    program.process.stdout.close()
    program.process.stdout = None
    assert program.end() == (141, "stopping 13\ncleaned\n")


@pytest.mark.process
def test_an_ignored_hangup_stays_ignored(tmp_path: Path) -> None:
    """`nohup kamal deploy` outlives its terminal."""
    program = Program(tmp_path, prefix=("nohup",))
    program.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert program.process.poll() is None
    program.process.send_signal(signal.SIGTERM)
    status, errors = program.end()
    assert (status, errors.splitlines()[-2:]) == (143, ["stopping 15", "cleaned"])


async def _value() -> int:
    await asyncio.sleep(0)
    return 42


def test_results_and_errors_pass_through() -> None:
    """Without a signal it is a plain run."""
    assert run_until_done(_value()) == 42

    async def failing() -> None:
        raise KamalError("no")

    with pytest.raises(KamalError, match="no"):
        run_until_done(failing())


@pytest.mark.process
def test_an_error_of_the_clean_up_is_the_cause() -> None:
    """A stopped run is reported as stopped; what went wrong in its clean-up is not lost."""

    async def main() -> None:
        try:
            output_closed()
            await asyncio.sleep(60)
        finally:
            raise KamalError("the lock could not be released")

    with pytest.raises(Interrupted) as caught:
        run_until_done(main())
    assert isinstance(caught.value.__cause__, KamalError)


@pytest.mark.process
def test_a_run_that_ends_anyway_has_ended() -> None:
    """A run that comes to its result all the same was not interrupted."""

    async def main() -> str:
        try:
            output_closed()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "done"
        return "never"

    assert run_until_done(main()) == "done"


def test_a_broken_subscriber_falls_silent_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The first failure to write stops the run, later events are dropped; errors of other kinds are bugs and stay."""
    calls: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise BrokenPipeError(32, "Broken pipe")

    guarded = surviving(broken)
    guarded(Message(text="one"))
    guarded(Message(text="two"))
    assert len(calls) == 1

    def full(event: Event) -> None:
        calls.append(event)
        raise OSError(28, "No space left on device")

    guarded = surviving(full)
    guarded(Message(text="three"))
    guarded(Message(text="four"))
    assert len(calls) == 2
    assert capsys.readouterr().err == "Standard output cannot be written: No space left on device\n"

    def buggy(_event: Event) -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (it has no message)
        surviving(buggy)(Message(text="x"))


def test_handlers_are_given_back() -> None:
    """After a run Ctrl-C is what it was before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    run_until_done(_value())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
