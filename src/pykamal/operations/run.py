"""Opens the context of a run and closes its connections when the run is over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

from pykamal.commands.hooks import PRE_CONNECT
from pykamal.config.models import Config
from pykamal.core.catalogue.settings import INLINE_KEY
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus
from pykamal.operations.context import Context, Executor, Settings
from pykamal.operations.execution import hooks
from pykamal.operations.execution.executor import ActingExecutor
from pykamal.operations.local.local_context import LocalContext, read_local_context
from pykamal.secrets.store import Secrets
from pykamal.transport.fleet import Fleet, load_ssh_library
from pykamal.transport.local import LocalSession
from pykamal.transport.program import end_programs

_INLINE_KEY: Final = INLINE_KEY.diagnostic(
    "Inline key_data usage is deprecated and will be removed in Kamal 3. Please store your key_data in a secret."
)


@asynccontextmanager
async def run_context(
    config: Config,
    settings: Settings,
    bus: Bus,
    secrets: Secrets,
    *,
    operation: str,
    executor: Executor,
    connects: bool = True,
    reads_secrets: bool = False,
    ask: Callable[[str], Awaitable[bool]] | None = None,
) -> AsyncIterator[Context]:
    """The context of a run, whose steps the executor takes.

    With `connects`, all selected hosts are being connected to while the flow begins. A host that cannot be reached is
    reported by the first step that needs it. With `reads_secrets`, secrets are read before that, so that a manager
    which is down is told before any host is touched.
    """

    async def pre_connect() -> None:
        """Run the hook for a plan as well: it may be what opens the way to the hosts that a plan reads."""
        await hooks.fire(replace(context, executor=ActingExecutor()), PRE_CONNECT)

    local_context = await _beginning(config, secrets if reads_secrets else None, connects=connects)
    fleet = _fleet(config, bus, secrets, on_first_connection=pre_connect)
    try:
        context = Context(
            config=config,
            settings=settings,
            bus=executor.flow_bus(bus),
            fleet=fleet,
            local=LocalSession(bus),
            secrets=secrets,
            local_context=local_context,
            executor=executor,
            operation=operation,
            lock_held=hooks.held_by_parent(),
            ask=ask,
        )
        async with _connecting(context, connects):
            yield context
    finally:
        await fleet.aclose()


async def _beginning(config: Config, secrets: Secrets | None, *, connects: bool) -> LocalContext:
    """Ask Git what is deployed and by whom, read the secrets, and load the library for connections, all at once.

    Git is no step of the run, so it is not shown. Loading takes a tenth of a second.
    """
    asking = asyncio.create_task(read_local_context(LocalSession(Bus()), config))
    reading = [_read(secrets)] if secrets is not None else []
    loading = [asyncio.to_thread(load_ssh_library)] if connects else []
    try:
        await asyncio.gather(*reading, *loading)
        return await asking
    finally:
        asking.cancel()


async def _read(secrets: Secrets) -> None:
    """Read the secrets in a thread that the end of the run does not wait for: a manager may keep it for a minute.

    The programs that it has started end with the run.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def read() -> None:
        failure: BaseException | None = None
        try:
            secrets.read()
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the run has ended, and its loop is closed
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=read, name="secrets", daemon=True).start()
    try:
        await done
    except asyncio.CancelledError:
        end_programs()
        raise


@asynccontextmanager
async def _connecting(context: Context, connects: bool) -> AsyncIterator[None]:
    async def connect() -> None:
        with suppress(KamalError):
            await context.fleet.connect_all(context.selection.hosts)

    if not connects:
        yield
        return
    ahead = asyncio.create_task(connect())
    try:
        yield
    finally:
        ahead.cancel()
        with suppress(asyncio.CancelledError):
            await ahead


def _fleet(config: Config, bus: Bus, secrets: Secrets, *, on_first_connection: Callable[[], Awaitable[None]]) -> Fleet:
    return Fleet(
        config.ssh,
        bus,
        extension=config.extension,
        sshkit=config.sshkit,
        key_data=key_texts(config, secrets),
        on_first_connection=on_first_connection,
    )


def key_texts(config: Config, secrets: Secrets) -> list[Sensitive]:
    """The private keys of `ssh/key_data`: the secret of that name, else the text itself (spec/config.md 10).

    Warns of texts that are in deploy.yml.
    """
    found = [(entry, secrets.get(entry)) for entry in config.ssh.key_data]
    if any(key is None for _, key in found):
        secrets.warn(_INLINE_KEY)
    return [key or Sensitive(entry) for entry, key in found]
