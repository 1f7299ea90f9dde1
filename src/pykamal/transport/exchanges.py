"""Exchanges with a shell in a channel: it runs a script, or becomes a command that reads bytes."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from pykamal.commands.command import Command, command
from pykamal.commands.processes import in_shell, shell
from pykamal.commands.script import MARK, Script
from pykamal.core.sensitive import encoded
from pykamal.events import Stream
from pykamal.transport.capture import Capture
from pykamal.transport.channel import EARLY_BYTES, ChannelEnd, CommandChannel, Sent
from pykamal.transport.channels import Channels
from pykamal.transport.script_output import ScriptOutput


class ScriptExchange:
    """Gives a script to a shell and reads what comes back. `end` is how the shell ended, if it did."""

    def __init__(self, channel: CommandChannel, script: Script, nonce: str, output: ScriptOutput) -> None:
        loop = asyncio.get_running_loop()
        self.channel = channel
        self.script = script
        self.output = output
        self.end = ChannelEnd()
        self.began_running: asyncio.Future[None] = loop.create_future()
        self._complete: asyncio.Future[None] = loop.create_future()
        self._nonce = nonce

    @property
    def began(self) -> bool:
        """True once the shell runs the script, as it says before the first step."""
        return self.output.process_group is not None

    @property
    def keeps_shell(self) -> bool:
        """True for a script that leaves the shell as it was.

        A user's own line may leave a process behind that goes on printing, which is nothing for the next script.
        """
        return not any(step.command.user_line for step in self.script)

    async def run(self) -> None:
        """Run the script until its last step has ended, or the shell has.

        It does not wait for the shell, nor for what a step left in the background.
        """
        text = encoded(self.script.wire(self._nonce))
        self.channel.send(text, self._received, more_to_come=self.keeps_shell)
        await _first_of(self._complete, self.channel.ended)
        if self.channel.ended.done():
            self.end = self.channel.ended.result()

    def _received(self, stream: Stream, data: bytes) -> None:
        if self._complete.done():
            return
        self.output.feed(stream, data)
        if self.began and not self.began_running.done():
            self.began_running.set_result(None)
        if self.output.complete:
            self._complete.set_result(None)


class Feeding:
    """Runs one command that reads `content` on its standard input. `printed` is what it printed.

    A shell that waits becomes the command, and says so before the content is sent to it: a shell may read more of its
    input than the line that it runs.
    """

    def __init__(self, command: Command, content: bytes | memoryview, sent: Sent | None) -> None:
        self.printed: dict[Stream, Capture] = {}
        self._command = command
        self._content = content
        self._sent = sent
        self._mark = f"{MARK}{secrets.token_hex(8)}\n"
        self._ready: asyncio.Future[None]
        self._early = b""

    async def run(self, channels: Channels) -> ChannelEnd:
        """Run the command to its end; a shell that was gone before it read anything is replaced."""
        waiting = channels.take_shell()
        if waiting is not None:
            end = await self._run_in(waiting)
            if self._ready.done() or channels.closed:
                return end
        return await self._run_in(channels.start(shell()))

    async def _run_in(self, channel: CommandChannel) -> ChannelEnd:
        self.printed = {stream: Capture() for stream in Stream}
        self._ready = asyncio.get_running_loop().create_future()
        self._early = b""
        line = in_shell(command("printf", "%s", self._mark).then(self._command))
        try:
            channel.send(encoded(line.shell_text() + "\n"), self._received, more_to_come=True)
            await _first_of(self._ready, channel.ended)
            if not channel.ended.done():
                channel.send(self._content, self._received, sent=self._sent)
            return await asyncio.shield(channel.ended)
        finally:
            channel.close()
            if not self._ready.done():  # what was there in place of a shell said why
                self.printed[Stream.STDOUT].write(self._early)

    def _received(self, stream: Stream, data: bytes) -> None:
        if stream is Stream.STDOUT and not self._ready.done():
            self._early += data
            _, mark, data = self._early.partition(self._mark.encode())
            if not mark:
                self._early = self._early[-EARLY_BYTES:]
                return
            self._ready.set_result(None)
        self.printed[stream].write(data)


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
