"""One process on this machine: bytes in, bytes out, how it ended."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, cast

from pykamal.events import Stream

KILL_SECONDS: Final = 5.0
"""How long a cancelled process may take to end on SIGTERM before it gets SIGKILL."""

LINGER_SECONDS: Final = 1.0
"""How long to read on after a process ended while something that it left behind keeps its output open."""

_STREAMS: Final = {1: Stream.STDOUT, 2: Stream.STDERR}


async def run_process(
    arguments: Sequence[str],
    received: Callable[[Stream, bytes], None],
    *,
    stdin: bytes | None = None,
    inherit_stdin: bool = False,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
    pass_descriptors: Sequence[int] = (),
) -> int:
    """Run a program to its end; its exit status, or 128 + N when signal N ended it.

    Without `stdin` it reads from /dev/null; with `inherit_stdin` it has our terminal. `environment` is the whole of
    it. Otherwise it is the leader of a session of its own, and cancelling ends all processes of its group. Raises
    `OSError` when the program cannot be started.
    """
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: _Protocol(received),
        *arguments,
        stdin=None if inherit_stdin else asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        env=environment,
        cwd=directory,
        # A program that asks for a password must stay in the terminal's foreground group.
        start_new_session=not inherit_stdin,
        pass_fds=tuple(pass_descriptors),
    )
    try:
        if stdin is not None:
            writer = cast(asyncio.WriteTransport, transport.get_pipe_transport(0))
            writer.write(stdin)
            writer.write_eof()
        return await protocol.finish()
    except BaseException:
        await _end(transport, protocol, group=not inherit_stdin)
        raise
    finally:
        transport.close()


async def _end(transport: asyncio.SubprocessTransport, protocol: _Protocol, *, group: bool) -> None:
    """TERM, then KILL; a second cancel goes straight to KILL."""
    if protocol.exited.done():
        return
    process_id = transport.get_pid()
    kill = os.killpg if group else os.kill
    with suppress(ProcessLookupError):
        kill(process_id, signal.SIGTERM)
        try:
            await asyncio.wait((protocol.exited, protocol.pipes_closed), timeout=KILL_SECONDS)
        finally:
            # Also when the leader is gone: it may have left members of its group behind that ignore SIGTERM.
            if group or not protocol.exited.done():
                kill(process_id, signal.SIGKILL)


class _Protocol(asyncio.SubprocessProtocol):
    def __init__(self, received: Callable[[Stream, bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self._received = received
        self._open_pipes = set(_STREAMS)
        self.pipes_closed: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.SubprocessTransport | None = None

    async def finish(self) -> int:
        await asyncio.wait((self.exited, self.pipes_closed), return_when=asyncio.FIRST_EXCEPTION)
        for future in (self.exited, self.pipes_closed):
            if future.done():
                future.result()
        assert self._transport is not None
        status = self._transport.get_returncode()
        assert status is not None
        return status if status >= 0 else 128 - status

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        try:
            self._received(_STREAMS[fd], data)
        except Exception as error:  # a subscriber of the bus failed: that is for the caller, not for the event loop
            if not self.pipes_closed.done():
                self.pipes_closed.set_exception(error)

    def pipe_connection_lost(self, fd: int, *_reason: object) -> None:
        self._open_pipes.discard(fd)
        if not self._open_pipes:
            self._close_pipes()

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._close_pipes)

    def _close_pipes(self) -> None:
        if not self.pipes_closed.done():
            self.pipes_closed.set_result(None)
