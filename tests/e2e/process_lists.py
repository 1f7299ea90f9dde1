"""The process lists of the operator's machine and of its servers, whose processes are in namespaces of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LOOKS_PER_SECOND: Final = 200


class ProcessWatch:
    """Looks at the arguments of all processes again and again, as another user could, and keeps what shows a secret.

    `sources` are programs that the test itself gives a secret to, as arguments.
    """

    def __init__(self, secrets: Sequence[str], sources: Sequence[Path]) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._sources = [str(source).encode() for source in sources]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_until_the_end, daemon=True)
        self.seen: set[str] = set()
        self.programs: set[str] = set()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look_until_the_end(self) -> None:
        while not self._ended.wait(1 / _LOOKS_PER_SECOND):
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    self._look_at(process)

    def _look_at(self, process: Path) -> None:
        try:
            line = (process / "cmdline").read_bytes()
        except OSError:  # it has ended
            return
        words = line.split(b"\0")
        self.programs.add(" ".join(word.decode("utf-8", "replace") for word in words[:2]))
        if any(secret in line for secret in self._secrets) and not any(source in words for source in self._sources):
            self.seen.add(line.replace(b"\0", b" ").decode("utf-8", "replace"))


@contextmanager
def process_watch(secrets: Sequence[str], *, sources: Sequence[Path] = ()) -> Iterator[ProcessWatch]:
    """Watch for as long as the block runs."""
    watch = ProcessWatch(secrets, sources)
    watch.start()
    try:
        yield watch
    finally:
        watch.end()
