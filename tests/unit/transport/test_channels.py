"""Channels of a connection that ends at an odd moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import asyncssh
import pytest

from pykamal.commands.processes import shell
from pykamal.transport.channels import Channels

pytestmark = pytest.mark.unit


class EndingConnection:
    """Closes a channel in the moment in which its opening is confirmed, and then fails as asyncssh does."""

    def __init__(self, *, ended: bool) -> None:
        self.ended = ended

    def is_closed(self) -> bool:
        return True

    def get_extra_info(self, _name: str) -> None:
        return None

    async def create_session(self, session: Callable[[], asyncssh.SSHClientSession[bytes]], *_: Any, **__: Any) -> None:
        if self.ended:
            session().connection_lost(None)
        raise AttributeError("'NoneType' object has no attribute 'session_started'")


async def complaints(*, ended: bool) -> tuple[list[dict[str, Any]], bool]:
    """Return the complaints of the event loop, and True where the channel is closed."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    connection = cast("asyncssh.SSHClientConnection", EndingConnection(ended=ended))
    channel = Channels(connection, "web1").start(shell())
    for _ in range(5):
        await asyncio.sleep(0)
    return found, channel.closed.done()


def test_a_channel_that_ends_while_it_is_opened() -> None:
    """It is closed, and nothing is printed of it."""
    assert asyncio.run(complaints(ended=True)) == ([], True)


def test_another_mistake_while_it_is_opened() -> None:
    """It is no end of the channel, and is told."""
    found, closed = asyncio.run(complaints(ended=False))
    assert "session_started" in str(found[0]["exception"])
    assert not closed
