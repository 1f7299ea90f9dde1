"""Things done at once."""

from __future__ import annotations

import asyncio

import pytest

from pykamal.core.errors import HostErrors, KamalError
from pykamal.operations.execution.fanout import gather_hosts, run_all

pytestmark = [pytest.mark.unit, pytest.mark.process]


def test_the_first_failure_ends_the_rest() -> None:
    """fanout.together: a host out of reach ends the build that goes on meanwhile, and is told as itself."""
    ended: list[str] = []

    async def building() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("build")

    async def checking() -> None:
        raise KamalError("no answer")

    with pytest.raises(KamalError, match="no answer"):
        asyncio.run(run_all(building(), checking()))
    assert ended == ["build"]


def test_every_key_is_waited_for_and_every_failure_told() -> None:
    """fanout.on_each: no host's failure is lost (design.md, rule 3)."""
    done: list[str] = []

    async def call(key: str) -> None:
        if key != "good":
            raise KamalError("wrong", host=key)
        await asyncio.sleep(0.01)
        done.append(key)

    with pytest.raises(HostErrors) as caught:
        asyncio.run(gather_hosts(["bad", "good", "worse"], call))
    assert [error.host for error in caught.value.errors] == ["bad", "worse"]
    assert done == ["good"]
