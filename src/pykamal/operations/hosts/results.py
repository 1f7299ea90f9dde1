"""Results of hosts as events. A long one comes in parts, so that it need not fit into memory."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Final

from pykamal.events import HostResult
from pykamal.transport.session import StepResult

PART_BYTES: Final = 1 << 20


def events(result: StepResult, like: HostResult) -> Iterator[HostResult]:
    """The output of a step in events that are otherwise `like` this one. White space around it counts if it is raw."""
    if result.whole is None:
        yield replace(like, text=result.captured)
        return
    with result.whole as file:
        start, end = (0, file.seek(0, os.SEEK_END)) if like.raw else _without_space(file)
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape" if like.raw else "replace")
        begins, ends = True, False
        while not ends:
            file.seek(start)
            data = file.read(min(PART_BYTES, end - start))
            ends = start + len(data) >= end
            if not ends and b"\n" in data:
                data = data[: data.rfind(b"\n") + 1]  # what belongs together is rarely spread over lines
            yield replace(like, text=decoder.decode(data, ends), begins=begins, ends=ends)
            start += len(data)
            begins = False


def _without_space(file: IO[bytes]) -> tuple[int, int]:
    """Return the bounds of the content without white space at either side."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        block = max(0, end - PART_BYTES)
        file.seek(block)
        kept = len(file.read(end - block).rstrip())
        end = block + kept
        if kept:
            break
    start = file.seek(0)
    while start < end:
        data = file.read(min(PART_BYTES, end - start))
        skipped = len(data) - len(data.lstrip())
        start += skipped
        if skipped < len(data):
            break
    return start, end
