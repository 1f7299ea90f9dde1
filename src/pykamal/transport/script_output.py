"""What each step of a script printed and how it ended, read from the two streams of `sh` as they arrive.

The other half of `pykamal.commands.script`: that module writes the markers, this one takes them out again. Chunks may
be cut anywhere, inside a marker or inside a character; text that is no part of a step (the noise of a login shell's
start-up files, the last words of a background process) is kept apart.
"""

from __future__ import annotations

import codecs
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from pykamal.commands.script import MARK, Script
from pykamal.events import Stream
from pykamal.transport.session import StepResult


class StepListener(Protocol):
    """Told of each step as it happens: `began`, then any number of `printed`, then `ended`, one step at a time."""

    def began(self, index: int) -> None: ...

    def printed(self, stream: Stream, text: str) -> None: ...

    def ended(self, result: StepResult) -> None: ...


class ScriptOutput:
    """Feed it bytes; read `results` (of finished steps, in order), `running` and `complete`.

    A step has ended when both streams say so, and the next one is told of only after that, in whatever order the two
    streams arrive.
    """

    def __init__(
        self,
        script: Script,
        nonce: str,
        listener: StepListener | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.results: list[StepResult] = []
        self.process_group: int | None = None
        self._script = script
        self._listener = listener
        self._clock = clock
        self._lanes = {stream: _Lane(f"{MARK}{nonce} ".encode()) for stream in Stream}
        self._step: _RunningStep | None = None

    @property
    def running(self) -> int | None:
        """The index of the step that has begun and not ended."""
        return self._step.index if self._step else None

    @property
    def complete(self) -> bool:
        """Whether no step can follow: all have ended, or one failed that may not fail."""
        if len(self.results) == len(self._script):
            return True
        last = self.results[-1] if self.results else None
        return last is not None and not last.ok and not last.step.command.may_fail

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take the next bytes of one stream."""
        self._lanes[stream].feed(data)
        self._advance()

    def finish(self) -> None:
        """Both streams have ended: what looked like the start of a marker is output after all."""
        for lane in self._lanes.values():
            lane.flush()
        self._advance()

    def cut_off(self, exit_status: int) -> StepResult:
        """The shell is gone before its time: end the step that runs.

        If none runs, the next one ends without having begun, with whatever the shell said about that.
        """
        if self._step is None:
            self._begin(len(self.results))
            assert self._step is not None
            for stream, lane in self._lanes.items():
                self._print(self._step, stream, bytes(lane.noise), final=False)
        return self._end(self._step, exit_status)

    # -- both streams in step

    def _advance(self) -> None:
        """Work off what both streams hold; one that is ahead waits for the other at the next step's beginning."""
        progress = True
        while progress:
            progress = False
            for stream, lane in self._lanes.items():
                while lane.items and self._take(stream, lane.items[0]):
                    lane.items.popleft()
                    progress = True

    def _take(self, stream: Stream, item: _Item) -> bool:
        if isinstance(item, bytes):
            assert self._step is not None
            self._print(self._step, stream, item, final=False)
            return True
        match item.words:
            case [b"pid", pid]:
                self.process_group = int(pid)
            case [b"begin", index]:
                return self._begin(int(index))
            case [b"end", _, status]:
                assert self._step is not None
                self._end_of_stream(self._step, stream, int(status))
        return True

    def _begin(self, index: int) -> bool:
        if self._step is not None:
            return self._step.index == index  # the other stream said it first, or is still in the step before
        self._step = _RunningStep(index, self._clock())
        if self._listener:
            self._listener.began(index)
        return True

    def _end_of_stream(self, step: _RunningStep, stream: Stream, status: int) -> None:
        self._print(step, stream, b"", final=True)
        step.open_streams.discard(stream)
        if not step.open_streams:
            self._end(step, status)

    def _end(self, step: _RunningStep, exit_status: int) -> StepResult:
        for stream in tuple(step.open_streams):
            self._print(step, stream, b"", final=True)
        result = StepResult(
            step=self._script.steps[step.index],
            exit_status=exit_status,
            stdout="".join(step.texts[Stream.STDOUT]),
            stderr="".join(step.texts[Stream.STDERR]),
            seconds=self._clock() - step.started,
            output=bytes(step.output),
        )
        self._step = None
        self.results.append(result)
        if self._listener:
            self._listener.ended(result)
        return result

    def _print(self, step: _RunningStep, stream: Stream, data: bytes, *, final: bool) -> None:
        if stream is Stream.STDOUT:
            step.output += data
        text = step.decoders[stream].decode(data, final)
        if text:
            step.texts[stream].append(text)
            if self._listener:
                self._listener.printed(stream, text)


_new_decoder = codecs.getincrementaldecoder("utf-8")


@dataclass(slots=True)
class _RunningStep:
    index: int
    started: float
    output: bytearray = field(default_factory=bytearray)
    open_streams: set[Stream] = field(default_factory=lambda: set(Stream))
    texts: dict[Stream, list[str]] = field(default_factory=lambda: {stream: [] for stream in Stream})
    decoders: dict[Stream, codecs.IncrementalDecoder] = field(
        default_factory=lambda: {stream: _new_decoder("replace") for stream in Stream}
    )


@dataclass(frozen=True, slots=True)
class _Marker:
    words: list[bytes]


_Item = bytes | _Marker


class _Lane:
    """One stream: bytes in, output and markers out."""

    def __init__(self, prefix: bytes) -> None:
        self.items: deque[_Item] = deque()
        self.noise = bytearray()  # printed outside every step, by the login shell, say, or by `sh` itself
        self._prefix = prefix
        self._pending = b""
        self._inside_step = False

    def feed(self, data: bytes) -> None:
        rest = self._pending + data
        while True:
            start = rest.find(self._prefix)
            if start < 0:
                keep = self._possible_prefix(rest)
                self._output(rest[: len(rest) - keep])
                self._pending = rest[len(rest) - keep :]
                return
            end = rest.find(b"\n", start)
            self._output(rest[:start])
            if end < 0:
                self._pending = rest[start:]
                return
            self._marker(_Marker(rest[start + len(self._prefix) : end].split()))
            rest = rest[end + 1 :]

    def flush(self) -> None:
        if not self._pending.startswith(self._prefix):
            self._output(self._pending)
        self._pending = b""

    def _marker(self, marker: _Marker) -> None:
        if marker.words[0] in (b"begin", b"end"):
            self._inside_step = marker.words[0] == b"begin"
        self.items.append(marker)

    def _output(self, data: bytes) -> None:
        if data and self._inside_step:
            self.items.append(data)
        elif data:
            self.noise += data

    def _possible_prefix(self, data: bytes) -> int:
        """How many bytes at the end of `data` may be the beginning of a marker."""
        start = data.rfind(self._prefix[:1], -len(self._prefix) + 1)
        return len(data) - start if start >= 0 and self._prefix.startswith(data[start:]) else 0
