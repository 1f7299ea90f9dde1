"""A TCP connection to a host: name look-up with retries, all its addresses, a time limit."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from pykamal.core.errors import HostUnreachable
from pykamal.events import Bus, Level

CONNECT_SECONDS: Final = 15.0
NEXT_ADDRESS_SECONDS: Final = 0.25  # RFC 8305 section 8: the connection attempt delay

_Address = tuple[int, Any]
"""A family and an address of that family, as `socket` takes them."""

Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)


class Dialer:
    """Opens the TCP connection for asyncssh, in the role of its `tunnel`.

    Raises `HostUnreachable`, with the reason and what to do, named after `host`, the text of deploy.yml.
    """

    def __init__(self, host: str, bus: Bus, *, dns_retries: int, connect_seconds: float | None = None) -> None:
        self._host = host
        self._bus = bus
        self._dns_retries = dns_retries
        self._connect_seconds = connect_seconds or CONNECT_SECONDS

    async def create_connection(
        self, session_factory: Callable[[], Protocol], remote_host: str, remote_port: int
    ) -> tuple[asyncio.BaseTransport, Protocol]:
        """Connect to one of the addresses of a host; the next is tried when one does not answer at once.

        Raises `HostUnreachable`, whose label tells the kind.
        """
        addresses = await self._resolve(remote_host, remote_port)
        try:
            async with asyncio.timeout(self._connect_seconds):
                connected = await _first_connected(addresses)
            return await asyncio.get_running_loop().create_connection(session_factory, sock=connected)
        except TimeoutError as error:
            raise HostUnreachable(
                f"No answer from {self._host} (port {remote_port}) within {self._connect_seconds:g} seconds",
                host=self._host,
                hint="check whether the host is up and a firewall lets this machine reach that port",
                label="Net::SSH::ConnectionTimeout",
            ) from error
        except ConnectionRefusedError as error:
            raise HostUnreachable(
                f"{self._host} refuses connections on port {remote_port}",
                host=self._host,
                hint="check whether sshd runs there, and on that port (ssh/port in deploy.yml)",
            ) from error
        except OSError as error:
            raise HostUnreachable(
                f"Cannot connect to {self._host} (port {remote_port}): {_reason(error)}",
                host=self._host,
                hint="check whether this machine has a network route to the host",
                label=label_of(error),
            ) from error

    async def _resolve(self, name: str, port: int) -> list[_Address]:
        """Look the name up, as often as the configuration says."""
        loop = asyncio.get_running_loop()
        for attempt in range(1, self._dns_retries + 2):
            try:
                found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            except UnicodeError as error:
                raise self._without_address(
                    "it is no name, for a part between two dots is empty or too long"
                ) from error
            except socket.gaierror as error:
                if attempt > self._dns_retries:
                    raise self._without_address(error.strerror or str(error)) from error
                delay = retry_delay(attempt)
                self._bus.log(
                    f"Retrying DNS for {self._host} (attempt {attempt}/{self._dns_retries}) in {delay:.2f}s: {error}",
                    Level.WARN,
                    host=self._host,
                )
                await asyncio.sleep(delay)
            else:
                return [(family, address) for family, _type, _protocol, _name, address in found]
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _without_address(self, reason: str) -> HostUnreachable:
        return HostUnreachable(
            f"Cannot find the address of {self._host.strip() or 'a host with an empty name'}: {reason}",
            host=self._host,
            hint="correct the name in deploy.yml, or check whether this machine's name look-up works",
            label="SocketError",
        )


async def _first_connected(addresses: Sequence[_Address]) -> socket.socket:
    """The first connection that is made; a new address is tried when those before take long or have failed.

    Raises the `OSError` of the first address when none answers.
    """
    waiting = list(addresses)
    attempts: dict[asyncio.Task[socket.socket], None] = {}
    errors: list[BaseException] = []
    try:
        while waiting or attempts:
            if waiting:
                attempts[asyncio.create_task(_connected(*waiting.pop(0)))] = None
            limit = NEXT_ADDRESS_SECONDS if waiting else None
            done, _ = await asyncio.wait(attempts, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            for attempt in [attempt for attempt in attempts if attempt in done]:
                del attempts[attempt]
                if (error := attempt.exception()) is None:
                    return attempt.result()
                errors.append(error)
        raise errors[0]
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close_late)


async def _connected(family: int, address: Any) -> socket.socket:
    new = socket.socket(family, socket.SOCK_STREAM)
    try:
        new.setblocking(False)
        await asyncio.get_running_loop().sock_connect(new, address)
    except BaseException:
        new.close()
        raise
    return new


def _close_late(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


def label_of(error: Exception) -> str:
    """Return Ruby Kamal's label: `Errno::EHOSTUNREACH` and its like, or the end of a connection (spec/cli.md 4.5)."""
    name = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"Errno::{name}" if name else "Net::SSH::Disconnect"


def _reason(error: OSError) -> str:
    """The system's own words; asyncio puts the address in their place."""
    return os.strerror(error.errno) if error.errno else str(error)


def retry_delay(attempt: int) -> float:
    """Seconds before a look-up is tried again: 0.1, 0.2, 0.4 ... 2.0, and up to 0.1 more (spec/config.md 11)."""
    return float(min(0.1 * 2 ** (attempt - 1), 2.0)) + random.uniform(0, 0.1)  # noqa: S311 (spreads load, no secret)
