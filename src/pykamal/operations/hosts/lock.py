"""The deploy lock: a directory on the primary host (spec/cli.md 8)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pykamal.commands import lock as commands
from pykamal.commands import run_directory
from pykamal.commands.script import Script, Step, script
from pykamal.core.errors import CommandFailed, KamalError, LockError
from pykamal.events import Result, Tone
from pykamal.operations.context import Context
from pykamal.operations.execution.failure_hints import error_of
from pykamal.operations.execution.plan import Phase, Task
from pykamal.operations.local.local_context import now
from pykamal.transport.session import StepResult

RELEASE_SECONDS = 15.0
LEFT = "when its host answers again, see kamal lock status, then run kamal lock release"
ADVICE = "Run 'kamal lock help' for more information"


@asynccontextmanager
async def held(context: Context, reading: Script | None = None) -> AsyncIterator[Sequence[StepResult]]:
    """Hold the deploy lock around a flow; re-entrant. Released whatever ends the flow, an interrupt included.

    `reading` are steps for the primary host that share the exchange of the acquisition; their results are yielded.
    Raises `LockError` when somebody else holds it.
    """
    host = context.selection.primary_host
    if context.lock_held or host is None:
        yield ()
        return
    async with context.executor.around(_taken(context, host, reading), ()) as results:
        context.lock_held = True
        try:
            yield results
        finally:
            context.lock_held = False


@asynccontextmanager
async def _taken(context: Context, host: str, reading: Script | None) -> AsyncIterator[Sequence[StepResult]]:
    await context.fleet.connect_all(context.selection.hosts)  # a host out of reach stops the run before it begins
    results = await _acquire_waiting(context, host, reading)
    try:
        yield results
    except BaseException:
        try:
            await _release_announced(context, host)
        except KamalError as error:
            _tell_of_left_lock(context, error)
        raise
    try:
        await _release_announced(context, host)
    except CommandFailed as error:
        raise _gone(host) if _missing(error) else error from error


def _gone(host: str) -> LockError:
    """The lock was there when the flow began: somebody else may have begun another one since."""
    return LockError(
        "The deploy lock was released by somebody else while this ran",
        host=host,
        hint="check whether two runs changed the hosts at the same time: kamal audit, kamal app details",
        label="Kamal::Cli::Base::LockMissingError",
    )


async def _acquire_waiting(context: Context, host: str, reading: Script | None) -> Sequence[StepResult]:
    settings = context.settings
    if not settings.lock_wait:
        context.bus.say("Acquiring the deploy lock...")
        return await _acquire(context, host, commands.AUTOMATIC_MESSAGE, reading)

    context.bus.say(f"Acquiring the deploy lock (waiting up to {settings.lock_wait_timeout}s)...")
    deadline = time.monotonic() + settings.lock_wait_timeout
    holder: tuple[str, ...] = ()
    while True:
        try:
            return await _acquire(context, host, commands.AUTOMATIC_MESSAGE, reading, announce=False)
        except LockError as error:
            if not holder:
                context.bus.say("Deploy lock is held by:")
                context.bus.say("\n".join(error.details))
            holder = error.details
            if not commands.parse_details("\n".join(error.details)).automatic:
                raise LockError(
                    f"Deploy lock held manually, not waiting. {ADVICE}",
                    host=host,
                    details=error.details,
                    hint="ask its holder; `kamal lock release` removes it",
                ) from error
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            context.bus.say(f"Timed out after {settings.lock_wait_timeout}s waiting for the deploy lock", Tone.PROBLEM)
            raise LockError(
                "Timed out waiting for deploy lock",
                host=host,
                details=holder,
                hint="wait longer with --lock-wait-timeout, or if that deploy is gone for good: kamal lock release",
            )
        context.bus.say(f"Retrying in {settings.lock_wait_interval}s ({int(remaining)}s remaining)...")
        await asyncio.sleep(min(settings.lock_wait_interval, remaining))


async def _acquire(
    context: Context, host: str, message: str, reading: Script | None, *, announce: bool = True
) -> Sequence[StepResult]:
    text = commands.details_text(
        locked_by=context.local_context.user_name,
        at=now(),
        version=context.version,
        message=context.bus.sanitized_text(message),
    )
    acquisition = asyncio.ensure_future(_acquire_on(context, host, text, reading))
    try:
        results = await asyncio.shield(acquisition)
    except asyncio.CancelledError:
        # The interrupt may have come after the directory was made: wait for the answer, then give the lock back.
        await _give_back(context, host, acquisition)
        raise
    acquired = results[:2][-1]  # without the run directory there is no attempt
    if acquired.ok:
        return results[2:]
    if acquired.exit_status != commands.LOCK_HELD_STATUS:
        raise error_of(acquired, host)
    if announce:
        context.bus.say("Deploy lock already in place!", Tone.PROBLEM)
    raise LockError(
        f"Deploy lock found. {ADVICE}",
        host=host,
        details=acquired.captured.splitlines(),
        hint="wait for that deploy, or if it is gone for good: kamal lock release",
    )


async def _acquire_on(context: Context, host: str, text: str, reading: Script | None) -> Sequence[StepResult]:
    steps = script(
        Step("make run directory", run_directory.make()),
        Step("acquire lock", commands.acquire(context.config, text)),
        reading.steps if reading is not None else (),
    )
    return await _exchange(context, Task(host, "acquire lock", steps))


async def _exchange(context: Context, task: Task) -> Sequence[StepResult]:
    return (await context.executor.exchange(Phase(task.title, (task,)), context))[task.host]


async def _give_back(context: Context, host: str, acquisition: asyncio.Future[Sequence[StepResult]]) -> None:
    try:
        async with asyncio.timeout(RELEASE_SECONDS):
            results = await acquisition
            if len(results) > 1 and results[1].ok:
                await _release_announced(context, host)
    except (KamalError, TimeoutError) as error:
        _tell_of_left_lock(context, error)


async def _release_announced(context: Context, host: str) -> None:
    context.bus.say("Releasing the deploy lock...")
    try:
        async with asyncio.timeout(RELEASE_SECONDS):
            await _release(context, host)
    except TimeoutError as error:
        raise LockError(
            f"{host} did not release the deploy lock within {RELEASE_SECONDS:g} seconds", host=host, hint=LEFT
        ) from error


def _tell_of_left_lock(context: Context, error: Exception) -> None:
    context.bus.say(f"Error releasing the deploy lock: {error}", Tone.PROBLEM)
    context.bus.say(f"The deploy lock may still be there: {LEFT}", Tone.PROBLEM)


async def _release(context: Context, host: str) -> None:
    release = script(Step("release lock", commands.release(context.config)))
    (result,) = await _exchange(context, Task(host, "release lock", release))
    if not result.ok:
        raise result.failure(host)


# -- the `kamal lock` commands (spec/cli.md 8.4)


async def acquire(context: Context, *, message: str) -> None:
    host = _lock_host(context)
    await _acquire(context, host, message, None)
    context.bus.say("Acquired the deploy lock")


async def release(context: Context) -> None:
    host = _lock_host(context)
    try:
        await _release(context, host)
    except CommandFailed as error:
        if not _missing(error):
            raise
        context.bus.say("There is no deploy lock")
    else:
        context.bus.say("Released the deploy lock")


async def status(context: Context) -> None:
    host = _lock_host(context)
    session = await context.fleet.session(host)
    try:
        result = await session.run(commands.status(context.config), name="lock status")
    except CommandFailed as error:
        if not _missing(error):
            raise
        context.bus.say("There is no deploy lock")
    else:
        context.bus.emit(Result(text=result.captured))


def _lock_host(context: Context) -> str:
    """The primary host. Raises `LockError` where deploy.yml names no host at all, which then nobody can lock."""
    host = context.selection.primary_host
    if host is None:
        raise LockError("No host keeps the deploy lock", hint="add a host to servers or accessories in deploy.yml")
    return host


def _missing(error: CommandFailed) -> bool:
    return "No such file" in error.stderr
