"""Opens the channels of one SSH connection, and keeps one shell that waits for the next script."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncssh

from pykamal.commands.command import Command
from pykamal.commands.processes import shell
from pykamal.core.errors import ConnectionFailed, HostUnreachable
from pykamal.transport.channel import ChannelEnd, CommandChannel
from pykamal.transport.tcp_quickack import acknowledge_at_once

MAX_CHANNELS: Final = 7
"""Scripts at once on one connection: OpenSSH allows 10 sessions by default (MaxSessions); one is the shell that waits,
and two stay for clean-up."""

_OPEN_REFUSED: Final = (1, 2, 4)  # prohibited, connect failed, resource shortage: RFC 4254 section 5.1
_REFUSED_SECONDS: Final = 1.0


class Channels:
    """Opens channels. `free` holds a place for each of the scripts that may run at once."""

    def __init__(self, connection: asyncssh.SSHClientConnection, host: str) -> None:
        self.free = asyncio.Semaphore(MAX_CHANNELS)
        self._connection = connection
        self._host = host
        self._count = 0
        self._waiting_shell: CommandChannel | None = None
        self._refused: set[CommandChannel] = set()
        self._openings: set[asyncio.Task[None]] = set()

    @property
    def closed(self) -> bool:
        return self._connection.is_closed()

    def start(self, line: Command) -> CommandChannel:
        """Have a command started in a channel of its own; its `ended` raises when the host refuses that."""
        return self._start(line, patient=True)

    def start_shell(self) -> None:
        """Start the shell that waits for the first script, which then costs one round trip only.

        Where the host allows no session the script starts its own.
        """
        self._waiting_shell = self._start(shell(), patient=False)

    def take_shell(self) -> CommandChannel | None:
        """Return the shell that waits, unless it is gone."""
        channel, self._waiting_shell = self._waiting_shell, None
        return None if channel is None or channel.ended.done() else channel

    def give_back(self, channel: CommandChannel) -> None:
        """Keep a shell for the next script: a second one would read the start-up files of the login again.

        One shell waits at most, and none while the host has no session left for a channel that is asked for.
        """
        if self._refused or channel.ended.done() or self._waiting_shell is not None:
            channel.close()
        else:
            channel.ignore_output()
            self._waiting_shell = channel

    def lost(self, doing: str) -> HostUnreachable:
        return HostUnreachable(
            f"Connection to {self._host} lost while {doing}",
            host=self._host,
            hint="check whether the host is up and reachable; what was running there may have gone on or been cut off",
            label="Net::SSH::Disconnect",
        )

    def _start(self, line: Command, *, patient: bool) -> CommandChannel:
        channel = CommandChannel()
        self._count += 1
        channel.closed.add_done_callback(self._count_closed)
        opening = asyncio.create_task(self._open(channel, line, patient=patient))
        self._openings.add(opening)
        opening.add_done_callback(self._openings.discard)
        return channel

    async def _open(self, channel: CommandChannel, line: Command, *, patient: bool) -> None:
        """Open it. A host with too many sessions is asked again, if `patient`: it counts one for longer than we do."""
        try:
            await self._try_to_open(channel, line, patient=patient)
        finally:
            self._refused.discard(channel)

    async def _try_to_open(self, channel: CommandChannel, line: Command, *, patient: bool) -> None:
        delay = 0.02
        while True:
            try:
                opening = self._connection.create_session(
                    lambda: channel, line.shell_text(), encoding=None, request_pty=False, x11_forwarding=False
                )
                asyncio.get_running_loop().call_soon(acknowledge_at_once, self._connection)
                await opening
            except asyncssh.ChannelOpenError as error:
                if self.closed:
                    channel.fail(self.lost("opening a channel"))
                elif not patient:
                    channel.settle(ChannelEnd())
                    channel.close()
                elif error.code not in _OPEN_REFUSED or (delay > _REFUSED_SECONDS and self._count <= 1):
                    channel.fail(self._refusal(error))
                else:
                    self._refused.add(channel)
                    if (shell_waiting := self.take_shell()) is not None:
                        shell_waiting.close()
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, 1.28)
                    continue
            except (asyncssh.Error, OSError):
                channel.fail(self.lost("opening a channel"))
            except AttributeError:
                # asyncssh has let go of the session: the channel was closed in the moment that confirmed its opening.
                if not channel.closed.done():
                    raise
            return

    def _refusal(self, error: asyncssh.ChannelOpenError) -> ConnectionFailed:
        return ConnectionFailed(
            f"{self._host} refused to run a command: {error.reason}",
            host=self._host,
            hint="check MaxSessions, ForceCommand and the login shell of this user on the host",
        )

    def _count_closed(self, _closed: object) -> None:
        self._count -= 1
