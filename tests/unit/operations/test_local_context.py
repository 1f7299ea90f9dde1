"""The operator's side of a run, asked of the real Git of this machine or of none."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from pykamal.core.errors import KamalError
from pykamal.events import Bus
from pykamal.operations.local.local_context import read_local_context
from pykamal.transport.local import LocalSession
from tests.unit.samples import config, role

pytestmark = [pytest.mark.unit, pytest.mark.process]


def test_a_machine_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """spec/cli.md 8.1 and 3.1: the lock names `Unknown`, and a version has to be given."""
    shell = shutil.which("sh")
    assert shell is not None
    (tmp_path / "sh").symlink_to(shell)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VERSION", raising=False)
    found = asyncio.run(read_local_context(LocalSession(Bus()), config(role("web", "10.0.0.1"))))
    assert found.user_name == "Unknown"
    assert found.performer, "the login name"
    with pytest.raises(KamalError, match="no git repository found") as caught:
        assert found.version
    assert "with Git installed" in (caught.value.hint or "")
