"""One SSH channel: bytes in, bytes out, and how its command ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import asyncssh

from pykamal.events import Stream

WRITE_BYTES: Final = 65536
EARLY_BYTES: Final = 65536
"""How much is kept of what a host says before it was asked: the noise of start-up files."""
STDERR_DATATYPE: Final = 1  # SSH_EXTENDED_DATA_STDERR, RFC 4254 section 5.2

# The names of RFC 4254 section 6.10 without SIG, as far as they have the same number everywhere (POSIX.1).
_SIGNAL_NUMBERS: Final = {"HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "ALRM": 14, "TERM": 15}

Receiver = Callable[[Stream, bytes], None]
Sent = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class ChannelEnd:
    """The end of a channel. `exit_status` is None when the server told none; `lost` when the whole connection broke."""

    exit_status: int | None = None
    lost: bool = False


class CommandChannel(asyncssh.SSHClientSession[bytes]):
    """`ended` gives how it ended, or raises why it could not be opened, or what the receiver raised."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[ChannelEnd] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._receiver: Receiver | None = None
        self._early: list[tuple[Stream, bytes]] = []
        self._unsent: memoryview | None = None
        self._sent: Sent | None = None
        self._length = 0
        self._started = False
        self._more_to_come = False
        self._paused = False
        self._exit_status: int | None = None

    def send(
        self,
        content: bytes | memoryview,
        receiver: Receiver,
        *,
        sent: Sent | None = None,
        more_to_come: bool = False,
    ) -> None:
        """Give the command its standard input, and its output, from now on, a receiver.

        The end of the input follows unless there is `more_to_come` in another call. The channel need not be open yet:
        then the input follows right behind the request to run the command. `sent` is told how many bytes have left so
        far, again and again.
        """
        self._receiver = receiver
        self._sent = sent
        self._more_to_come = more_to_come
        self._unsent = memoryview(content)
        self._length = len(self._unsent)
        early, self._early = self._early, []
        for stream, data in early:
            self._receive(stream, data)
        if self._started:
            self._write()

    def withdraw(self) -> bool:
        """Close the channel if nothing was sent yet; return True if that came in time."""
        in_time = not self._started
        if in_time:
            self.close()
        return in_time

    def ignore_output(self) -> None:
        """Drop what comes until the next `send`."""
        self._receiver = _ignore

    def settle(self, end: ChannelEnd) -> None:
        if not self.ended.done():
            self.ended.set_result(end)

    def fail(self, error: Exception) -> None:
        """The channel could not be opened."""
        if not self.ended.done():
            self.ended.set_exception(error)
            self.ended.exception()  # seen, also when nobody waits any more
        self.close()

    def close(self) -> None:
        self._unsent = None
        if self._channel is not None:
            self._channel.close()
        elif not self.closed.done():
            self.settle(ChannelEnd())
            self.closed.set_result(None)

    # -- called by asyncssh

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        # The request to run the command leaves in this very turn of the loop, so what is sent now follows behind it.
        self._loop.call_soon(self._start)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._receive(Stream.STDERR if datatype == STDERR_DATATYPE else Stream.STDOUT, data)

    def exit_status_received(self, status: int) -> None:
        self._exit_status = status

    def exit_signal_received(self, signal: str, *_details: object) -> None:
        self._exit_status = 128 + _SIGNAL_NUMBERS.get(signal, 0)

    def connection_lost(self, exc: Exception | None) -> None:
        self.settle(ChannelEnd(self._exit_status, lost=exc is not None))
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._write()

    # -- inside

    def _start(self) -> None:
        if self._channel is None or self.closed.done():
            if self._channel is not None:
                self._channel.close()
            return
        self._started = True
        self._write()

    def _write(self) -> None:
        """As much as the host takes at present; `resume_writing` continues."""
        if self._channel is None or self._unsent is None:
            return
        try:
            while self._unsent and not self._paused:
                self._channel.write(bytes(self._unsent[:WRITE_BYTES]))
                self._unsent = self._unsent[WRITE_BYTES:]
                if self._sent is not None:
                    self._sent(self._length - len(self._unsent))
            if not self._unsent:
                self._unsent = None
                if not self._more_to_come:
                    self._channel.write_eof()
        except OSError:  # closed in between; connection_lost tells the rest
            self._unsent = None

    def _receive(self, stream: Stream, data: bytes) -> None:
        if self._receiver is None:
            if sum(len(early) for _, early in self._early) < EARLY_BYTES:
                self._early.append((stream, data))
            return
        if self.ended.done():
            return
        try:
            self._receiver(stream, data)
        except Exception as error:  # a subscriber of the bus failed: that is for the caller, not for the SSH library
            if not self.ended.done():
                self.ended.set_exception(error)


def _ignore(_stream: Stream, _data: bytes) -> None:
    pass
