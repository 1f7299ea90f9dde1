"""Keeps the output of a program within bounds."""

from __future__ import annotations

import tempfile
from typing import IO, Final

from pykamal.core.source import left_out_line

KEPT_BYTES: Final = 16 << 20
"""How much of one stream of one command is kept. No answer that is read by this program is nearly as long."""


EVIDENCE_BYTES: Final = 2 << 20
"""How much of it is kept where it is only evidence, should the command fail."""

SPOOL_BYTES: Final = 4 << 20
"""How much of an output that is kept whole stays in memory."""


def spool() -> IO[bytes]:
    """A file for output of any length: in memory while it is short, then on disk, without a name."""
    return tempfile.SpooledTemporaryFile(SPOOL_BYTES)


class Capture:
    """Keeps the first and the last half of what is written to it; what was between is counted and left out."""

    __slots__ = ("_first", "_half", "_last", "left_out")

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self.left_out = 0
        self._half = limit // 2
        self._first = bytearray()
        self._last = bytearray()

    def write(self, data: bytes) -> None:
        space = self._half - len(self._first)
        self._first += data[:space]
        self._last += data[space:] if space else data
        if len(self._last) > 2 * self._half:
            self._trim()

    def text(self) -> str:
        """All of it, or its beginning and its end with a line between that tells how much is missing."""
        self._trim()
        if not self.left_out:
            return (self._first + self._last).decode("utf-8", "replace")
        first, last = (part.decode("utf-8", "replace") for part in (self._first, self._last))
        return f"{first}{left_out_line(f'{self.left_out:,} bytes')}{last}"

    def _trim(self) -> None:
        excess = len(self._last) - self._half
        if excess > 0:
            self.left_out += excess
            del self._last[:excess]
