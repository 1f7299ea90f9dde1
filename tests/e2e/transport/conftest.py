"""An sshd for every test of this folder, and a file for the keys of hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.sshd import Sshd, start_sshd
from tests.e2e.transport.running import Run


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    running = start_sshd(tmp_path_factory.mktemp("sshd"), host_keys=("ed25519", "ecdsa", "rsa"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def no_agent_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "ssh" / "known_hosts"


@pytest.fixture(scope="session")
def noisy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd whose sessions have a bash start-up file that prints."""
    home = tmp_path_factory.mktemp("home")
    (home / ".bashrc").write_text("echo 'Welcome to this server!'; echo 'You have mail.' >&2\n")
    running = start_sshd(tmp_path_factory.mktemp("noisy"), home=home)
    yield running
    running.stop()


@pytest.fixture
def run(noisy_server: Sshd, tmp_path: Path) -> Run:
    return Run(noisy_server, tmp_path)
