"""Reaching an sshd with the settings of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from pykamal.commands.command import query
from pykamal.config.models import Extension, HostKeyPolicy, Ssh, Sshkit
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, Event
from pykamal.transport.fleet import Fleet
from tests.e2e.sshd import Sshd


def settings(server: Sshd, **changes: object) -> Ssh:
    values: dict[str, object] = {
        "user": server.user,
        "port": server.port,
        "keys": (str(server.key),),
        "keys_only": True,
        "config": False,
        **changes,
    }
    return Ssh(**values)  # type: ignore[arg-type]


def trusting(path: Path, policy: HostKeyPolicy = HostKeyPolicy.ACCEPT_NEW) -> Extension:
    return Extension(host_key_policy=policy, known_hosts=str(path))


def answers(
    ssh: Ssh,
    extension: Extension,
    hosts: Sequence[str] = ("127.0.0.1",),
    *,
    sshkit: Sshkit | None = None,
    key_data: Sequence[str | Sensitive] = (),
    events: list[Event] | None = None,
) -> list[str]:
    """Return the output of `echo` on each host."""

    async def body() -> list[str]:
        bus = Bus(events.append if events is not None else lambda _: None)
        fleet = Fleet(ssh, bus, extension=extension, sshkit=sshkit, key_data=key_data)
        async with asyncio.timeout(60), aclosing(fleet):
            await fleet.connect_all(hosts)
            sessions = [await fleet.session(host) for host in hosts]
            return [(await session.run(query("printenv", "SSH_CONNECTION"))).captured for session in sessions]

    return asyncio.run(body())
