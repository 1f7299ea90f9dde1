"""The hosts of one run: one connection each, opened when first needed, all closed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING

from pykamal.config.models import Extension, Ssh, Sshkit
from pykamal.core.errors import ConnectionFailed, HostErrors, KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus, Level
from pykamal.transport.asyncssh_import import import_library

if TYPE_CHECKING:
    from pykamal.transport.connecting import Connector
    from pykamal.transport.ssh_connection import SshSession


class Fleet:
    """The connections to the hosts of one run, each opened when it is first asked for. `aclose` ends them.

    `key_data` are the texts of private keys. `on_first_connection` runs once, before the first connection of all; when
    it fails, no connection is opened and its error goes to everybody who asked for one.
    """

    def __init__(
        self,
        ssh: Ssh,
        bus: Bus,
        *,
        extension: Extension | None = None,
        sshkit: Sshkit | None = None,
        key_data: Sequence[str | Sensitive] = (),
        on_first_connection: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._ssh = ssh
        self._bus = bus
        self._extension = extension or Extension()
        self._sshkit = sshkit or Sshkit()
        self._key_data = tuple(key_data)
        self._on_first_connection = on_first_connection
        self._starts: AbstractAsyncContextManager[None] = (
            asyncio.Semaphore(starts) if (starts := self._sshkit.max_concurrent_starts) > 0 else nullcontext()
        )
        self._first: asyncio.Task[None] | None = None
        self._connector: Connector | None = None
        self._importing: asyncio.Future[None] | None = None
        self._sessions: dict[str, asyncio.Task[SshSession]] = {}

    async def session(self, host: str) -> SshSession:
        """The open connection to a host; those who ask at the same time share it, and a lost one is opened anew.

        Raises the members of `pykamal.core.errors.ConnectionFailed`.
        """
        opening = self._sessions.get(host)
        if opening is None or _useless(opening):
            opening = self._sessions[host] = asyncio.create_task(self._open(host), name=f"connect {host}")
        return await asyncio.shield(opening)

    async def connect_all(self, hosts: Iterable[str]) -> None:
        """Open the connections to all hosts at once.

        Raises when all are settled: the one error, or `HostErrors` for several.
        """
        outcomes = await asyncio.gather(*(self.session(host) for host in dict.fromkeys(hosts)), return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, KamalError)]
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, KamalError):
                raise outcome
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise HostErrors(errors)

    @property
    def exchanges(self) -> dict[str, int]:
        """Round trips so far by host, on the connections that are open."""
        return {host: opening.result().exchanges for host, opening in self._sessions.items() if _opened(opening)}

    async def aclose(self) -> None:
        """Close every connection, give up those that are being opened."""
        openings = list(self._sessions.values())
        self._sessions.clear()
        if self._first is not None and not self._first.done():
            self._first.cancel()
        for opening in openings:
            opening.cancel()
        await asyncio.gather(
            *(opening.result().close() for opening in openings if _opened(opening)), return_exceptions=True
        )
        await asyncio.gather(*openings, return_exceptions=True)
        if self._connector is not None:
            await self._connector.close()

    async def before_connecting(self) -> None:
        """Run what comes before the first connection, if it has not run yet."""
        if self._on_first_connection is not None:
            if self._first is None:
                self._first = asyncio.ensure_future(_awaited(self._on_first_connection))
            await asyncio.shield(self._first)

    async def reconnect(self, host: str) -> None:
        """Close the connection to a host; the next `session` logs in anew."""
        opening = self._sessions.pop(host, None)
        if opening is not None:
            session = await opening
            await session.close()

    async def _open(self, host: str) -> SshSession:
        await self.before_connecting()
        await asyncio.shield(self._imported())
        async with self._starts:
            try:
                return await self._ready_connector().open(host)
            except ConnectionFailed as error:
                if len(self._sessions) > 1:  # the others may take a while until the run ends with this error
                    self._bus.log(error.message, Level.ERROR, host=host)
                raise

    def _imported(self) -> asyncio.Future[None]:
        """asyncssh, imported by a thread: it takes a while, in which Git and hooks run that others wait for."""
        if self._importing is None:
            self._importing = asyncio.get_running_loop().run_in_executor(None, load_ssh_library)
        return self._importing

    def _ready_connector(self) -> Connector:
        if self._connector is None:
            from pykamal.transport.connecting import Connector

            self._connector = Connector(
                self._ssh,
                self._bus,
                extension=self._extension,
                dns_retries=self._sshkit.dns_retries,
                key_data=self._key_data,
            )
        return self._connector


def load_ssh_library() -> None:
    """Import what connections need ahead of time, in a thread, while something else is waited for."""
    import_library()
    import pykamal.transport.connecting  # noqa: F401 (imported for sys.modules)


async def _awaited(hook: Callable[[], Awaitable[None]]) -> None:
    await hook()


def _opened(opening: asyncio.Task[SshSession]) -> bool:
    return opening.done() and not opening.cancelled() and opening.exception() is None


def _useless(opening: asyncio.Task[SshSession]) -> bool:
    """Return True where an attempt has failed, or its connection is gone by now."""
    return opening.done() and (not _opened(opening) or opening.result().closed)
