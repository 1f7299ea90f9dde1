"""A real terminal with a program in it: what a person types, sees and drags to another size."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CTRL_C: Final = "\x03"
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


class Terminal:
    """A program that has a pseudo-terminal of its own as its controlling terminal, as from a shell in a window."""

    def __init__(
        self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], rows: int, columns: int
    ) -> None:
        self._controller, terminal = pty.openpty()
        self.resize(rows, columns)
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *arguments],
            cwd=folder,
            env={**environment, "TERM": "xterm"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        self._shown = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """All that was shown so far, without colours."""
        return _ESCAPES.sub("", self._shown.decode("utf-8", "replace")).replace("\r\n", "\n")

    @property
    def received(self) -> str:
        """The same to the last byte; a byte that is no UTF-8 is a lone surrogate."""
        return self._shown.decode("utf-8", "surrogateescape")

    def type(self, text: str) -> None:
        os.write(self._controller, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size; the kernel tells the program in front."""
        fcntl.ioctl(self._controller, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, pattern: str, *, seconds: float = 30) -> re.Match[str]:
        """Wait until something is shown that matches. Fails the test when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text)
            if found is not None:
                return found
            running = self._reader.is_alive()
            assert time.monotonic() < deadline, f"{pattern!r} was not shown within {seconds} s:\n{self.text}"
            assert running or re.search(pattern, self.text), f"it ended without showing {pattern!r}:\n{self.text}"
            time.sleep(0.02)

    def wait(self, *, seconds: float = 30) -> int:
        """Wait for the program to end; its exit status."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.text}") from None
        self._reader.join(5)
        return status

    def close(self) -> None:
        """Close the window, as a person does who has had enough: the program is hung up on."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGHUP)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._reader.join(5)
        os.close(self._controller)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._controller, 65536)
            except OSError:  # the last program on the other side is gone
                return
            if not data:
                return
            self._shown += data


@contextmanager
def terminal(
    *arguments: str, folder: Path, environment: Mapping[str, str], rows: int = 24, columns: int = 80
) -> Iterator[Terminal]:
    """Run a program in a terminal; at the end the window is closed."""
    window = Terminal(arguments, folder=folder, environment=environment, rows=rows, columns=columns)
    try:
        yield window
    finally:
        window.close()
