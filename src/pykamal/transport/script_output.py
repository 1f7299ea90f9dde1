"""Parses the output and exit status of each step of a script from the two streams of `sh`, as they arrive.

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
from typing import IO, Final, Protocol

from pykamal.commands.command import Effect
from pykamal.commands.script import FIRST_LINE, MARK, Script, Step
from pykamal.core.errors import KamalError, UnexpectedAnswer
from pykamal.events import Stream
from pykamal.transport.capture import EVIDENCE_BYTES, KEPT_BYTES, Capture, spool
from pykamal.transport.session import StepResult

AHEAD_BYTES: Final = 16 << 20
"""How much one stream may have said of a step while the other has not ended the step before."""

MARKER_BYTES: Final = 128
NOISE_BYTES: Final = 64 << 10
SHOWN_CHARACTERS: Final = 80


class StepListener(Protocol):
    """Told of each step as it happens: `began`, then any number of `printed`, then `ended`, one step at a time."""

    def began(self, index: int) -> None: ...

    def printed(self, stream: Stream, text: str) -> None: ...

    def ended(self, result: StepResult) -> None: ...


class ScriptOutput:
    """Feed it bytes; read `results` (of finished steps, in order), `running` and `complete`.

    A step has ended when both streams say so, and the next one is told of only after that, in whatever order the two
    streams arrive. `host` is None on this machine. With `whole` each result has all of its standard output, in a file
    where it is long. `feed` raises `UnexpectedAnswer` for markers that the script does not write, and for a command
    that only reads and answers with more than is kept.
    """

    def __init__(
        self,
        script: Script,
        nonce: str,
        listener: StepListener | None = None,
        *,
        host: str | None = None,
        whole: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.results: list[StepResult] = []
        self.process_group: int | None = None
        self._script = script
        self._listener = listener
        self._host = host
        self._place = host or "this machine"
        self._whole = whole
        self._clock = clock
        self._lanes = {stream: _Lane(f"{MARK}{nonce} ".encode()) for stream in Stream}
        self._step: _RunningStep | None = None

    @property
    def running(self) -> int | None:
        """The index of the step that has begun and not ended."""
        return self._step.index if self._step else None

    @property
    def complete(self) -> bool:
        """True where no step can follow: all have ended, or one failed that may not fail."""
        if len(self.results) == len(self._script):
            return True
        last = self.results[-1] if self.results else None
        return last is not None and not last.ok and not last.step.command.may_fail

    @property
    def output_outside_steps(self) -> str:
        """The text of both streams outside of every step."""
        return "\n".join(filter(None, (lane.noise.text().strip("\n") for lane in self._lanes.values())))

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take the next bytes of one stream."""
        self._lanes[stream].feed(data)
        self._advance()
        if self.process_group is None and FIRST_LINE in self._lanes[stream].noise.text():
            raise self._misunderstood("the script itself, which it gave back")

    def finish(self) -> None:
        """Both streams have ended: what looked like the start of a marker is output after all."""
        for lane in self._lanes.values():
            lane.flush()
        self._advance()

    def cut_off(self, exit_status: int) -> StepResult:
        """The shell is gone before its time: end the step that runs.

        If none runs, the next one ends without having begun, with whatever the shell said about that.
        """
        step = self._step
        if step is None:
            step = self._begin(len(self.results))
            for stream, lane in self._lanes.items():
                self._print(step, stream, lane.noise.text().encode())
        return self._end(step, exit_status)

    # -- both streams in step

    def _advance(self) -> None:
        """Work off what both streams hold; one that is ahead waits for the other at the next step's beginning."""
        progress = True
        while progress:
            progress = False
            for stream, lane in self._lanes.items():
                while lane.items and self._take(stream, lane.items[0]):
                    lane.taken()
                    progress = True
        if any(lane.waiting_bytes > AHEAD_BYTES for lane in self._lanes.values()):
            raise self._misunderstood("one stream ended a command long before the other")

    def _take(self, stream: Stream, item: _Item) -> bool:
        """Work off an item; False where it has to wait for the other stream."""
        step = self._step
        if isinstance(item, bytes):
            if step is None:
                raise self._misunderstood("output between two commands")
            self._print(step, stream, item)
            return True
        match item.words:
            case [b"pid", number] if number.isdigit():
                self.process_group = int(number)
            case [b"begin", number] if step is None and number == b"%d" % len(self.results):
                if len(self.results) == len(self._script):
                    raise self._misunderstood(f"command {int(number)}, which is none of the script's")
                self._begin(int(number))
            case [b"begin", number] if step and number in (b"%d" % step.index, b"%d" % (step.index + 1)):
                return number == b"%d" % step.index  # the other stream said it first, or is still in the step before
            case [b"end", number, status] if step and number == b"%d" % step.index and status.isdigit():
                self._end_of_stream(step, stream, int(status))
            case words:
                raise self._misunderstood(b" ".join(words).decode("utf-8", "replace"))
        return True

    def _begin(self, index: int) -> _RunningStep:
        limit = EVIDENCE_BYTES if self._whole else KEPT_BYTES
        captures = {stream: Capture(limit) for stream in Stream}
        step = self._step = _RunningStep(index, self._clock(), spool() if self._whole else None, captures)
        if self._listener:
            self._listener.began(index)
        return step

    def _end_of_stream(self, step: _RunningStep, stream: Stream, status: int) -> None:
        step.open_streams.discard(stream)
        if not step.open_streams:
            self._end(step, status)

    def _end(self, step: _RunningStep, exit_status: int) -> StepResult:
        for stream in Stream:
            self._tell(step, stream, b"", final=True)
        result = StepResult(
            step=self._script.steps[step.index],
            exit_status=exit_status,
            stdout=step.captures[Stream.STDOUT].text(),
            stderr=step.captures[Stream.STDERR].text(),
            seconds=self._clock() - step.started,
            whole=step.whole,
        )
        self._step = None
        self.results.append(result)
        if self._listener:
            self._listener.ended(result)
        return result

    def _print(self, step: _RunningStep, stream: Stream, data: bytes) -> None:
        step.captures[stream].write(data)
        if stream is Stream.STDOUT:
            if step.whole is not None:
                self._store(step.whole, data)
            elif step.captures[stream].left_out and self._script.steps[step.index].command.effect is Effect.READ:
                raise self._too_much(self._script.steps[step.index])
        self._tell(step, stream, data)

    def _store(self, file: IO[bytes], data: bytes) -> None:
        try:
            file.write(data)
        except OSError as error:
            raise KamalError(
                f"No space on this machine for what {self._place} prints: {error.strerror}",
                hint="set TMPDIR to a folder on a disk with more space",
            ) from error

    def _tell(self, step: _RunningStep, stream: Stream, data: bytes, *, final: bool = False) -> None:
        text = step.decoders[stream].decode(data, final) if self._listener else ""
        if text and self._listener:
            self._listener.printed(stream, text)

    # -- a host that lies, or a shell that is none

    def _misunderstood(self, output: str) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            f"The shell of {self._place} answered what no script of kamal makes it say",
            host=self._host,
            details=[f"it said: {output[:SHOWN_CHARACTERS]}"],
            hint="check that the login shell there, and what its start-up files run, leave the output of `sh` alone",
        )

    def _too_much(self, step: Step) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            f"{self._place} answered with more than {KEPT_BYTES >> 20} MB",
            host=self._host,
            details=[f"command: {step.command.display_text()}"],
            hint="run that command there by hand, to see what prints so much",
        )


_new_decoder = codecs.getincrementaldecoder("utf-8")


@dataclass(slots=True)
class _RunningStep:
    index: int
    started: float
    whole: IO[bytes] | None
    captures: dict[Stream, Capture]
    open_streams: set[Stream] = field(default_factory=lambda: set(Stream))
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
        self.waiting_bytes = 0
        self.noise = Capture(NOISE_BYTES)  # printed outside every step, by the login shell, say, or by `sh` itself
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
            if end < 0 and len(rest) - start <= MARKER_BYTES:
                self._pending = rest[start:]
                return
            if not 0 <= end - start <= MARKER_BYTES:  # refused by who works the items off
                end = start + MARKER_BYTES
            self._marker(_Marker(rest[start + len(self._prefix) : end].split()))
            rest = rest[end + 1 :]

    def flush(self) -> None:
        if not self._pending.startswith(self._prefix):
            self._output(self._pending)
        self._pending = b""

    def taken(self) -> None:
        """The first item was worked off."""
        item = self.items.popleft()
        self.waiting_bytes -= len(item) if isinstance(item, bytes) else MARKER_BYTES

    def _marker(self, marker: _Marker) -> None:
        if marker.words[:1] in ([b"begin"], [b"end"]):
            self._inside_step = marker.words[0] == b"begin"
        self.items.append(marker)
        self.waiting_bytes += MARKER_BYTES

    def _output(self, data: bytes) -> None:
        if data and self._inside_step:
            self.items.append(data)
            self.waiting_bytes += len(data)
        elif data:
            self.noise.write(data)

    def _possible_prefix(self, data: bytes) -> int:
        """Count the bytes at the end of `data` that may be the beginning of a marker."""
        start = data.rfind(self._prefix[:1], -len(self._prefix) + 1)
        return len(data) - start if start >= 0 and self._prefix.startswith(data[start:]) else 0
