"""Runs calls for many hosts at once: none is left running, and no host's failure is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from typing import TypeVar

from pykamal.core.errors import HostErrors, KamalError

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


async def gather_hosts(keys: Iterable[Key], call: Callable[[Key], Awaitable[Result]]) -> dict[Key, Result]:
    """Call for every key at once and wait for all; results in the order of the keys.

    Raises the one error when a single call failed, `HostErrors` when several did. A bug in one call cancels the others.
    """
    outcomes: dict[Key, Result | KamalError] = {}

    async def guarded(key: Key) -> None:
        try:
            outcomes[key] = await call(key)
        except KamalError as error:
            outcomes[key] = error

    unique = list(dict.fromkeys(keys))
    if len(unique) == 1:
        await guarded(unique[0])
    else:
        async with asyncio.TaskGroup() as group:
            for key in unique:
                group.create_task(guarded(key))

    errors = [outcome for outcome in (outcomes[key] for key in unique) if isinstance(outcome, KamalError)]
    raise_collected(errors)
    return {key: outcome for key in unique if not isinstance(outcome := outcomes[key], KamalError)}


async def run_all(*calls: Coroutine[object, object, None]) -> None:
    """Do different things at once. The first failure cancels the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(call)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def raise_collected(errors: list[KamalError]) -> None:
    """Raise what was collected of several hosts, if anything; one cause that met them all is raised once."""
    causes = list({id(error): error for error in errors}.values())
    if len(causes) == 1:
        raise causes[0]
    if causes:
        raise HostErrors(causes)
