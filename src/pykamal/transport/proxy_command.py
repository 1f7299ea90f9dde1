"""A ProxyCommand: a process of this machine whose input and output are the connection to a host."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

END_SECONDS: Final = 2.0
ENDING_SECONDS: Final = 0.5
KEPT_BYTES: Final = 4096

Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)


class ProxyCommand:
    """Opens the connection for asyncssh, in the role of its `tunnel`. `close` ends the process."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._output = b""

    @property
    def output_lines(self) -> tuple[str, ...]:
        """The last lines of the process's standard error, which tell why there is no connection."""
        return tuple(self._output.decode("utf-8", "replace").splitlines())

    async def exit_status(self) -> int | None:
        """The process's exit status, None while it runs; one that just closed its connection is about to end."""
        if self._process is None:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING_SECONDS):
                return await self._process.wait()
        return None

    async def create_connection(
        self, session_factory: Callable[[], Protocol], _remote_host: str, _remote_port: int
    ) -> tuple[asyncio.BaseTransport, Protocol]:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us: the connection must outlive it to clean up
            )
        assert self._process.stderr is not None
        self._reading = asyncio.create_task(self._read(self._process.stderr))
        return await asyncio.get_running_loop().create_connection(session_factory, sock=ours)

    async def close(self) -> None:
        """End the process and whatever it started."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self._process.wait()
                    break
        if self._reading is not None:
            await asyncio.wait((self._reading,), timeout=END_SECONDS)
            self._reading.cancel()

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(KEPT_BYTES):
            self._output = (self._output + data)[-KEPT_BYTES:]
