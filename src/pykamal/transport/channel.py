"""One command in one SSH channel: bytes in, bytes out, how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import asyncssh

from pykamal.events import Stream

STDERR_DATATYPE = 1  # SSH_EXTENDED_DATA_STDERR, RFC 4254 section 5.2

WRITE_BYTES = 65536

_SIGNAL_NUMBERS = {"HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "SEGV": 11, "PIPE": 13, "ALRM": 14, "TERM": 15}


@dataclass(frozen=True, slots=True)
class ChannelEnd:
    """How a channel ended. `exit_status` is None when the server told none; `lost` when the whole connection broke."""

    exit_status: int | None
    lost: bool


class CommandChannel(asyncssh.SSHClientSession[bytes]):
    """Sends `stdin` and end-of-file along with the request to run the command, without waiting in between.

    Output goes to `received`, which may call `stop_waiting` when it has seen enough. An error that `received` raises
    comes out of `ended`.
    """

    def __init__(self, stdin: bytes, received: Callable[[Stream, bytes], None]) -> None:
        self.ended: asyncio.Future[ChannelEnd] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unsent: memoryview | None = memoryview(stdin)
        self._paused = False
        self._received = received
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._exit_status: int | None = None
        self._sent = False
        self._withdrawn = False

    def stop_waiting(self) -> None:
        """All that matters has been read: end without waiting for the shell, or for what it left in the background."""
        self._settle(ChannelEnd(self._exit_status, lost=False))

    def withdraw(self) -> bool:
        """Send nothing if nothing was sent yet; whether that came in time."""
        self._withdrawn = True
        return not self._sent

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        elif not self.closed.done():
            self.closed.set_result(None)

    # -- called by asyncssh

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        # The request to run the command leaves in this very turn of the loop, so this data follows right behind it.
        asyncio.get_running_loop().call_soon(self._begin_sending)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self.ended.done():
            return
        try:
            self._received(Stream.STDERR if datatype == STDERR_DATATYPE else Stream.STDOUT, data)
        except Exception as error:  # a subscriber of the bus failed: that is for the caller, not for the SSH library
            if not self.ended.done():
                self.ended.set_exception(error)

    def exit_status_received(self, status: int) -> None:
        self._exit_status = status

    def exit_signal_received(self, signal: str, *_details: object) -> None:
        self._exit_status = 128 + _SIGNAL_NUMBERS.get(signal, 0)

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(ChannelEnd(self._exit_status, lost=exc is not None))
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._send()

    def _begin_sending(self) -> None:
        if self._channel is None or self._channel.is_closing():
            return
        if self._withdrawn:
            self._channel.close()
            return
        self._sent = True
        self._send()

    def _send(self) -> None:
        """As much as the host takes at present; `resume_writing` continues."""
        if self._channel is None or self._unsent is None:
            return
        try:
            while self._unsent and not self._paused:
                self._channel.write(bytes(self._unsent[:WRITE_BYTES]))
                self._unsent = self._unsent[WRITE_BYTES:]
            if not self._unsent:
                self._unsent = None
                self._channel.write_eof()
        except OSError:  # closed in between; connection_lost tells the rest
            self._unsent = None

    def _settle(self, end: ChannelEnd) -> None:
        if not self.ended.done():
            self.ended.set_result(end)
