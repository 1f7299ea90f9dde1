"""Files written on a host through a real sshd (spec/cli.md 6.5)."""

from __future__ import annotations

import asyncio
import stat
import time
from pathlib import Path

import pytest

from pykamal.core.errors import CommandFailed, HostUnreachable
from pykamal.transport.ssh import SshSession
from tests.e2e.sshd import start_sshd
from tests.e2e.transport.running import Run, until

pytestmark = pytest.mark.e2e


def test_uploads_have_their_mode_and_content(run: Run, tmp_path: Path) -> None:
    """Any bytes arrive as they are, with the mode asked for and nothing left beside (spec/cli.md 6.5)."""
    content = bytes(range(256)) * 4096

    async def body(session: SshSession) -> None:
        await session.upload(content, str(tmp_path / "it's here"), mode=0o604)
        await session.upload(b"", str(tmp_path / "empty"))
        await session.upload(b"new", str(tmp_path / "empty"))
        assert session.exchanges == 3

    run(body)
    target = tmp_path / "it's here"
    assert target.read_bytes() == content
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert (tmp_path / "empty").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "it's here", "known_hosts"]


def test_an_upload_that_fails_leaves_the_old_file(run: Run, tmp_path: Path) -> None:
    """A file is complete under its name or as it was; the parent directory must exist."""

    async def body(session: SshSession) -> None:
        with pytest.raises(CommandFailed) as caught:
            await session.upload(b"x", str(tmp_path / "missing" / "file"))
        assert "missing" in caught.value.stderr

    run(body)


def test_a_cut_off_upload_leaves_the_old_file(tmp_path: Path) -> None:
    """A connection that breaks in an upload leaves the old content and no temporary file."""
    own = start_sshd(tmp_path / "sshd")
    run = Run(own, tmp_path)
    target = tmp_path / "target" / "file"
    target.parent.mkdir()
    target.write_text("old")

    async def body() -> None:
        async with asyncio.timeout(60), run.fleet() as fleet:
            session = await fleet.session(own.host)
            upload = asyncio.create_task(session.upload(b"z" * 300_000_000, str(target)))
            await until(lambda: len(list(target.parent.iterdir())) == 2)
            own.drop_connections()
            with pytest.raises(HostUnreachable):
                await upload

    try:
        asyncio.run(body())
    finally:
        own.stop()
    deadline = time.monotonic() + 5
    while len(list(target.parent.iterdir())) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    assert target.read_text() == "old"
