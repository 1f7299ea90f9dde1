"""The connections of a run: one for each host, shared, closed at the end (spec/cli.md 7)."""

from __future__ import annotations

import asyncio
import subprocess
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from pykamal.commands.command import command
from pykamal.config.models import Sshkit
from pykamal.core.errors import HookFailed, HostErrors, KamalError
from pykamal.events import Bus, Connected, Event, Log
from pykamal.transport.connecting import Connector
from pykamal.transport.fleet import Fleet
from pykamal.transport.ssh_connection import SshSession
from tests.e2e.sshd import Sshd, free_port
from tests.e2e.transport.reaching import answers, settings, trusting

pytestmark = pytest.mark.e2e


def test_concurrent_callers_share_one_connection(server: Sshd, known_hosts: Path) -> None:
    """A host is connected to once a run, whoever asks, and the hook before the first connection runs once."""
    events: list[Event] = []
    hooks: list[int] = []

    async def hook() -> None:
        assert not any(isinstance(event, Connected) for event in events)
        hooks.append(1)
        await asyncio.sleep(0.05)

    async def body() -> None:
        fleet = Fleet(settings(server), Bus(events.append), extension=trusting(known_hosts), on_first_connection=hook)
        async with asyncio.timeout(30), aclosing(fleet):
            sessions = await asyncio.gather(*(fleet.session("127.0.0.1") for _ in range(5)), fleet.session("localhost"))
            assert len({id(session) for session in sessions[:5]}) == 1
            await sessions[0].run(command("true"))
            assert fleet.exchanges == {"127.0.0.1": 1, "localhost": 0}

    asyncio.run(body())
    assert len(hooks) == 1
    assert sorted(event.host for event in events if isinstance(event, Connected)) == ["127.0.0.1", "localhost"]


def test_a_failing_first_connection_hook_prevents_every_connection(server: Sshd, known_hosts: Path) -> None:
    """The pre-connect hook can veto the run (spec/cli.md 9.2)."""
    before = server.log.count("Accepted publickey")

    async def hook() -> None:
        raise HookFailed("no")

    async def body() -> None:
        fleet = Fleet(settings(server), Bus(), extension=trusting(known_hosts), on_first_connection=hook)
        async with aclosing(fleet):
            with pytest.raises(HostErrors):
                await fleet.connect_all(["127.0.0.1", "localhost"])

    asyncio.run(body())
    assert server.log.count("Accepted publickey") == before


def test_one_unreachable_host_does_not_hide_another(server: Sshd, known_hosts: Path) -> None:
    """connect_all settles every host and reports each failure; those that are up stay connected (spec/cli.md 6.4).

    Each is named at once, before the others are settled, and labelled by its kind (4.5).
    """
    down = f"127.0.0.1:{free_port()}"
    told: list[str | None] = []

    async def body() -> None:
        bus = Bus(lambda event: told.append(event.host) if isinstance(event, Log) else None)
        fleet = Fleet(settings(server), bus, extension=trusting(known_hosts), sshkit=Sshkit(dns_retries=0))
        async with asyncio.timeout(30), aclosing(fleet):
            with pytest.raises(HostErrors) as caught:
                await fleet.connect_all(["127.0.0.1", down, "no-such-host.invalid"])
            assert [error.host for error in caught.value.errors] == [down, "no-such-host.invalid"]
            assert [error.label for error in caught.value.errors] == ["Errno::ECONNREFUSED", "SocketError"]
            assert sorted(filter(None, told)) == [down, "no-such-host.invalid"]
            with pytest.raises(KamalError):
                await fleet.session(down)
            assert (await (await fleet.session("127.0.0.1")).run(command("echo", "up"))).captured == "up"

    asyncio.run(body())


def test_no_connection_outlives_a_cancelled_run(server: Sshd, known_hosts: Path) -> None:
    """Leaving the fleet closes everything, also what is still being opened."""

    async def body() -> None:
        async def work() -> None:
            async with aclosing(Fleet(settings(server), Bus(), extension=trusting(known_hosts))) as fleet:
                await fleet.session("127.0.0.1")
                await asyncio.gather(fleet.session("localhost"), asyncio.sleep(60))

        task = asyncio.create_task(work())
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(body())
    deadline = time.monotonic() + 5
    while _connections(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _connections(server)


def _connections(server: Sshd) -> list[str]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.split()


@pytest.mark.parametrize("most", [1, 2])
def test_at_most_so_many_connections_are_opened_at_once(
    server: Sshd, known_hosts: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """`sshkit.max_concurrent_starts` bounds the openings, not the connections (spec/config.md 11)."""
    opening: list[str] = []
    at_once: list[int] = []
    really_open = Connector.open

    async def watched(self: Connector, host: str) -> SshSession:
        opening.append(host)
        at_once.append(len(opening))
        try:
            return await really_open(self, host)
        finally:
            opening.remove(host)

    monkeypatch.setattr(Connector, "open", watched)
    hosts = [f"{server.user}@127.0.0.1", "127.0.0.1", "localhost", f"127.0.0.1:{server.port}"]
    assert len(answers(settings(server), trusting(known_hosts), hosts, sshkit=Sshkit(max_concurrent_starts=most))) == 4
    assert max(at_once) == most
