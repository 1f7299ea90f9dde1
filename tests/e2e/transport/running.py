"""Running commands on an sshd, and watching the processes that come of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

from pykamal.config.models import Extension, Ssh
from pykamal.events import Bus, Event
from pykamal.transport.fleet import Fleet
from pykamal.transport.ssh_connection import SshSession
from tests.e2e.sshd import Sshd


class Run:
    """A fleet of the test's own with what it reported."""

    def __init__(self, server: Sshd, directory: Path) -> None:
        self.events: list[Event] = []
        self.server = server
        self._ssh = Ssh(user=server.user, keys=(str(server.key),), keys_only=True, config=False)
        self._extension = Extension(known_hosts=str(directory / "known_hosts"))

    def fleet(self) -> Fleet:
        return Fleet(self._ssh, Bus(self.events.append), extension=self._extension)

    def __call__(self, call: Callable[[SshSession], Awaitable[None]]) -> None:
        """Run an async test body with an open session."""

        async def body() -> None:
            async with asyncio.timeout(60), aclosing(self.fleet()) as fleet:
                await call(await fleet.session(self.server.host))

        asyncio.run(body())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def alive(process_id: int) -> bool:
    """Tell if a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # gone before it was opened, or before it was read
        return False
    return state != "Z"


def until_gone(process_id: int, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(process_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(process_id)
