"""Hosts that refuse, do not answer or are no SSH servers (spec/cli.md 6.4)."""

from __future__ import annotations

import asyncio
import socket
from contextlib import aclosing
from pathlib import Path

import pytest

from pykamal.config.models import Sshkit
from pykamal.core.errors import HostUnreachable
from pykamal.events import Bus, Event, Level, Log
from pykamal.transport.fleet import Fleet
from tests.e2e.sshd import Sshd, free_port
from tests.e2e.transport.reaching import answers, settings, trusting

pytestmark = pytest.mark.e2e


def test_a_refused_connection(server: Sshd, known_hosts: Path) -> None:
    """Nothing listens: not retried, host and port named."""
    port = free_port()
    with pytest.raises(HostUnreachable, match=f"refuses connections on port {port}") as caught:
        answers(settings(server, port=port), trusting(known_hosts))
    assert caught.value.hint is not None


def test_an_unknown_name_is_looked_up_again(server: Sshd, known_hosts: Path) -> None:
    """Name look-up is retried `sshkit.dns_retries` times with growing delays, each announced (spec/config.md 11)."""
    events: list[Event] = []
    with pytest.raises(HostUnreachable, match=r"Cannot find the address of no-such-host\.invalid"):
        answers(
            settings(server),
            trusting(known_hosts),
            ["no-such-host.invalid"],
            sshkit=Sshkit(dns_retries=2),
            events=events,
        )
    texts = [event.text for event in events if isinstance(event, Log) and event.level is Level.WARN]
    assert [text.split(" in ")[0] for text in texts] == [
        "Retrying DNS for no-such-host.invalid (attempt 1/2)",
        "Retrying DNS for no-such-host.invalid (attempt 2/2)",
    ]


def test_a_server_that_says_nothing(server: Sshd, known_hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that accepts and stays silent is given up after a while."""
    monkeypatch.setattr("pykamal.transport.connecting.LOGIN_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(HostUnreachable, match=r"within 0\.5 seconds"):
            answers(settings(server, port=port), trusting(known_hosts))


def test_a_server_that_is_no_ssh_server(server: Sshd, known_hosts: Path) -> None:
    """Something else behind the port is an unreachable host."""

    async def body() -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
            writer.close()

        web = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = web.sockets[0].getsockname()[1]
        fleet = Fleet(settings(server, port=port), Bus(), extension=trusting(known_hosts))
        async with aclosing(fleet):
            with pytest.raises(HostUnreachable):
                await fleet.session("127.0.0.1")
        web.close()
        await web.wait_closed()

    asyncio.run(body())
