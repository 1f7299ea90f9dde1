"""The arguments of processes that start while a fetch runs."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

_SECONDS: Final = 0.005
"""The time between two looks at the list of processes, for what the programs themselves start."""

_ARGUMENTS: Final = {
    "subprocess.Popen": 1,
    "os.exec": 1,
    "os.posix_spawn": 1,
    "os.spawn": 2,
    "os.system": 0,
    "pty.spawn": 0,
}
"""The events of Python's audit that start a process, and where they have its arguments."""

_watching: list[set[str]] = []
_installed = threading.Event()


@contextmanager
def watched_processes() -> Iterator[set[str]]:
    """Collect the arguments of processes that start meanwhile; of those that this one starts itself, none is missed."""
    if not _installed.is_set():
        _installed.set()
        sys.addaudithook(_audit)  # which cannot be taken out again
    seen: set[str] = set()
    stop = threading.Event()
    sampler = threading.Thread(target=_sample, args=(seen, stop, _processes()), daemon=True)
    _watching.append(seen)
    sampler.start()
    try:
        yield seen
    finally:
        stop.set()
        sampler.join()
        _watching.remove(seen)


def _audit(event: str, details: tuple[Any, ...]) -> None:
    if _watching and event in _ARGUMENTS:
        given = details[_ARGUMENTS[event]]
        words = [given] if isinstance(given, str | bytes | os.PathLike) else given
        for seen in _watching:
            seen.add(" ".join(os.fsdecode(word) for word in words))


def _sample(seen: set[str], stop: threading.Event, before: set[str]) -> None:
    while not stop.wait(_SECONDS):
        for process in _processes() - before:
            with suppress(OSError):
                seen.add(Path("/proc", process, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))


def _processes() -> set[str]:
    """Return the ids of all processes, where the system lists them in /proc."""
    try:
        return {name for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208 - it is done often
    except OSError:
        return set()
