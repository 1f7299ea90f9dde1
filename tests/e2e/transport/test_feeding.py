"""Commands of a host that read bytes from us, through a real sshd."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from pykamal.commands.command import command, query
from pykamal.commands.script import Step
from pykamal.core.errors import HostUnreachable
from pykamal.transport.ssh_connection import SshSession
from tests.e2e.sshd import start_sshd
from tests.e2e.transport.running import Run, until

pytestmark = pytest.mark.e2e


def test_any_bytes_arrive_as_they_are(run: Run, tmp_path: Path) -> None:
    """Also none; each command is an exchange, and the noise of the login is no output of it."""
    content = bytes(range(256)) * 4096
    target = tmp_path / "it's here"

    async def body(session: SshSession) -> None:
        for data in (content, b""):
            result = await session.feed(Step("", command("tee", str(target)).to_file("/dev/null")), data)
            assert (result.exit_status, result.stdout, target.read_bytes()) == (0, "", data)
        assert (await session.feed(Step("", query("wc", "-c")), content)).captured == str(len(content))
        assert session.exchanges == 3

    run(body)


def test_a_command_that_fails_is_a_failed_result(run: Run, tmp_path: Path) -> None:
    """It may end without having read what is sent to it."""

    async def body(session: SshSession) -> None:
        result = await session.feed(
            Step("", query("cat").to_file(str(tmp_path / "missing" / "file"))), b"x" * 9_999_999
        )
        assert not result.ok
        assert "missing" in result.stderr

    run(body)


def test_a_connection_that_breaks_is_told(tmp_path: Path) -> None:
    """The caller learns that the command has read less than all of the input."""
    own = start_sshd(tmp_path / "sshd")
    run = Run(own, tmp_path)
    target = tmp_path / "file"

    async def body() -> None:
        async with asyncio.timeout(60), aclosing(run.fleet()) as fleet:
            session = await fleet.session(own.host)
            feeding = asyncio.create_task(
                session.feed(Step("", command("cat").to_file(str(target))), b"z" * 300_000_000)
            )
            await until(target.exists)
            own.drop_connections()
            with pytest.raises(HostUnreachable):
                await feeding

    try:
        asyncio.run(body())
    finally:
        own.stop()
