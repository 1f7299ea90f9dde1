"""One program of this machine, run to its end without an event loop, which may ask the person at the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from pykamal.core.sensitive import Sensitive, encoded, reveal
from pykamal.transport.process import KILL_SECONDS

_END_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.02
_MOST_COMPLAINTS: Final = 2000
_RUNNING: Final[dict[subprocess.Popen[bytes], bool]] = {}
"""The programs that run now; True for the leader of a session of its own."""

_STARTING: Final = threading.Lock()
"""Held until a program that was started is among those that run: what ends them would overlook it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a program: its exit status, or 128 + N when signal N ended it, and what it wrote.

    What it wrote may be secret, so that no representation shows it.
    """

    status: int
    output: bytes = field(repr=False)
    errors: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        return self.status == 0


def run_program(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str | Sensitive] | None = None,
    stdin: Sensitive | None = None,
    seconds: float | None,
    keep_errors: bool = True,
    pass_descriptors: Sequence[int] = (),
) -> Ended:
    """Run a program to its end, with our terminal, and our standard input or `stdin`. `environment` is added to ours.

    Its standard error is ours, unless `keep_errors`. Raises `OSError` when it cannot be started, `ValueError` for an
    argument that no program can get, and `TimeoutError` after `seconds`, once it has been ended.
    """
    # Without a terminal nothing can be asked; then all that the program started can be ended as one session.
    own_session = not _has_terminal()
    with _STARTING:
        process = subprocess.Popen(
            [encoded(word) for word in arguments],
            env={**os.environ, **{name: reveal(value) for name, value in (environment or {}).items()}},
            stdin=subprocess.PIPE if stdin is not None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if keep_errors else None,
            start_new_session=own_session,
            pass_fds=pass_descriptors,
        )
        _RUNNING[process] = own_session
    try:
        output, errors = process.communicate(encoded(reveal(stdin)) if stdin is not None else None, timeout=seconds)
    except BaseException as error:
        _end(process, group=own_session)
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError from None  # the other one carries the arguments and the output
        raise
    finally:
        del _RUNNING[process]
    status = process.returncode
    return Ended(status if status >= 0 else 128 - status, output, errors or b"")


@contextmanager
def reading(arguments: Sequence[str], *, stdin: bytes = b"") -> Iterator[Reading]:
    """Run a program whose output is read as it comes. It is ended where the reading stops before its end.

    Raises `OSError` when it cannot be started.
    """
    with TemporaryFile() as given, TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        with _STARTING:
            process = subprocess.Popen(
                [encoded(word) for word in arguments],
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
            _RUNNING[process] = True
        assert process.stdout is not None, "it is a pipe"
        try:
            yield Reading(process, process.stdout, errors)
        finally:
            if process.poll() is None:
                _end(process, group=True)
            process.stdout.close()
            del _RUNNING[process]


@dataclass(frozen=True, slots=True)
class Reading:
    """A program that runs, and its output."""

    _process: subprocess.Popen[bytes]
    _output: IO[bytes]
    _errors: IO[bytes]

    def read(self, size: int) -> bytes:
        """Return up to so many bytes; none at the end of the output."""
        return self._output.read(size)

    def line(self, limit: int) -> bytes:
        """Return a line, or the first `limit` bytes of it."""
        return self._output.readline(limit)

    def failure(self) -> str | None:
        """Wait for the end of the program, whose output has ended. Return its last complaint, None for success."""
        if self._process.wait() == 0:
            return None
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _MOST_COMPLAINTS))
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"


def end_programs() -> None:
    """End the programs that other threads have started, when this process ends without waiting for the threads."""
    signalled: set[int] = set()
    if _STARTING.acquire(timeout=_END_SECONDS):
        _STARTING.release()
    deadline = time.monotonic() + _END_SECONDS
    while _RUNNING and time.monotonic() < deadline:
        for process, group in list(_RUNNING.items()):
            if process.pid not in signalled:
                signalled.add(process.pid)
                _signal(process, signal.SIGTERM, group=group)
        time.sleep(_LOOK_SECONDS)
    for process, group in list(_RUNNING.items()):
        _signal(process, signal.SIGKILL, group=group)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals, *, group: bool) -> None:
    """Signal a program and what it has started: its group where it has one of its own, else what is known of it."""
    below = [] if group else _descendants(process.pid)  # which nobody finds any more once it has ended
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, number)
    for each in below:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each, number)


def _descendants(ancestor: int) -> list[int]:
    """Return the processes below one. Without /proc there are none: it is known on Linux alone."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(entry.parent.name)] = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
    found = [ancestor]
    for each in found:
        found += [process for process, parent in parents.items() if parent == each]
    return found[1:]


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes], *, group: bool) -> None:
    """TERM, then KILL."""
    _signal(process, signal.SIGTERM, group=group)
    with suppress(subprocess.TimeoutExpired):
        process.wait(KILL_SECONDS)
    if group or process.poll() is None:
        _signal(process, signal.SIGKILL, group=group)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):  # of what it did not read
                pipe.close()
