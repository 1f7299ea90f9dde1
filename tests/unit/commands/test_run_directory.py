"""The run directory on hosts, which other users of a host cannot enter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pykamal.commands import audit, run_directory
from pykamal.commands.command import Command
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = [pytest.mark.unit, pytest.mark.process]

MAKERS = [
    run_directory.make(),
    run_directory.make(".kamal/proxy/apps-config"),
    run_directory.make_private(".kamal/apps/app/env/roles"),
    audit.record(config(role("web", "10.0.0.1")), "a message", who="ada"),
]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line", MAKERS)
def test_every_command_that_makes_the_run_directory_closes_it(tmp_path: Path, shell: str, line: Command) -> None:
    """A new directory gets mode 0700, and so does one that Ruby Kamal left open (spec/config.md 18.10)."""
    for _ in range(2):
        assert run(line, directory=tmp_path, shell=shell).returncode == 0
        assert mode(tmp_path / ".kamal") == 0o700
        (tmp_path / ".kamal").chmod(0o755)


def test_directories_for_secrets_are_closed_themselves(tmp_path: Path) -> None:
    """Directories for secrets get closed permissions, also if they exist with open ones."""
    directory = tmp_path / ".kamal" / "env"
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    assert run(run_directory.make_private(".kamal/env"), directory=tmp_path).returncode == 0
    assert mode(directory) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to somebody else")
def test_a_run_directory_of_another_login_keeps_its_modes(tmp_path: Path) -> None:
    """Several logins of a team may share one by links: its owner says who may enter."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2770)
    os.chown(shared, 65534, 65534)
    (tmp_path / ".kamal").symlink_to(shared)
    assert run(run_directory.make_private(".kamal/env"), directory=tmp_path).returncode == 0
    assert (mode(shared), (shared / "env").is_dir()) == (0o770, True)
