"""Servers of secret managers, one of each for a run, and environments that know of nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.managers import cloud_harnesses
from tests.managers.aws import Moto
from tests.managers.file_tools import Gpg
from tests.managers.internet import Internet
from tests.managers.keyring_session import Session, gnome_session
from tests.managers.openbao import OpenBao
from tests.managers.vault_fetch import At

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory needs a manager."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.managers)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> At:
    """Set the environment to one Vault and one login; nothing else of this machine counts."""

    def point(address: str, token: str | None = None, **settings: str) -> None:
        for name in [name for name in os.environ if name.startswith(("BAO_", "VAULT_", "ACTIONS_", "GITHUB_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        for name, value in {"ADDR": address, "TOKEN": token or "", **settings}.items():
            monkeypatch.setenv(f"VAULT_{name}", value)

    return point


@pytest.fixture(scope="session")
def gpg() -> Iterator[Gpg]:
    """A key of GnuPG without a passphrase."""
    made = Gpg()
    yield made
    made.close()


@pytest.fixture
def gnome(tmp_path: Path) -> Iterator[Session]:
    """An unlocked GNOME Keyring on a bus of its own, in a home of its own."""
    with gnome_session(tmp_path) as session:
        yield session


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """AWS's APIs with signatures and permissions that are verified; each test names secrets and users of its own."""
    server = Moto(tmp_path_factory.mktemp("moto"))
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A server that the tests share: each mounts engines of its own."""
    server = OpenBao(tmp_path_factory.mktemp("openbao"))
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def openbao_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A server behind a certificate of a private CA."""
    server = OpenBao(tmp_path_factory.mktemp("openbao-tls"), tls=True)
    yield server.start()
    server.stop()


@pytest.fixture
def own_openbao(tmp_path: Path) -> Iterator[OpenBao]:
    """A server of the test's own, to be sealed, throttled or ended."""
    server = OpenBao(tmp_path / "openbao")
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    """The names of Azure, Google Cloud and Infisical, to be served by the tests: each starts services of its own."""
    with Internet(tmp_path_factory.mktemp("clouds"), *cloud_harnesses.NAMES) as running:
        yield running
