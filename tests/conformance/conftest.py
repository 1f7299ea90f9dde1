"""Fixtures of the conformance cases: a proxy that is shared and emptied, a proxy of one's own, three targets."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest

from tests.conformance.acme_authority import Authority
from tests.conformance.proxy_process import Proxy
from tests.conformance.scripted_target import Target

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory is a conformance case."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.conformance)


@pytest.fixture(scope="session")
def shared_proxy() -> Iterator[Proxy]:
    server = Proxy().start()
    yield server
    server.dispose()


@pytest.fixture
def proxy(shared_proxy: Proxy) -> Iterator[Proxy]:
    """A running proxy without services."""
    yield shared_proxy
    shared_proxy.remove_everything()


@pytest.fixture
def own_proxy() -> Iterator[Proxy]:
    """A proxy that is not started yet and that nobody else uses."""
    server = Proxy()
    yield server
    server.dispose()


@pytest.fixture(scope="session")
def acme_site() -> Iterator[tuple[Proxy, Authority]]:
    proxy = Proxy()
    authority = Authority(http_port=proxy.http_port)
    try:
        authority.start()
        proxy.start(environment=authority.environment)
        yield proxy, authority
    finally:
        proxy.dispose()
        authority.dispose()


@pytest.fixture
def acme_proxy(acme_site: tuple[Proxy, Authority]) -> Iterator[Proxy]:
    """A running proxy without services, which gets its certificates from `authority`."""
    yield acme_site[0]
    acme_site[0].remove_everything()


@pytest.fixture
def authority(acme_site: tuple[Proxy, Authority]) -> Authority:
    return acme_site[1]


@pytest.fixture
def make_target() -> Iterator[Callable[[str], Target]]:
    made: list[Target] = []

    def make(name: str) -> Target:
        made.append(Target(name))
        return made[-1]

    yield make
    for target in made:
        target.close()


@pytest.fixture
def t1(make_target: Callable[[str], Target]) -> Target:
    return make_target("T1")


@pytest.fixture
def t2(make_target: Callable[[str], Target]) -> Target:
    return make_target("T2")


@pytest.fixture
def t3(make_target: Callable[[str], Target]) -> Target:
    return make_target("T3")


@pytest.fixture
def nobody() -> str:
    """An address on which nothing listens."""
    target = Target("nobody")
    target.close()
    return target.address


@pytest.fixture(scope="session")
def certificates() -> Iterator[Callable[[str], tuple[Path, Path]]]:
    """Makes a self-signed pair for a name: certificate and key, readable for a proxy that runs as another user."""
    directory = Path(tempfile.mkdtemp(prefix="certificates-"))
    directory.chmod(0o755)
    count = iter(range(1000))

    def make(name: str) -> tuple[Path, Path]:
        number = next(count)
        certificate, key = directory / f"{number}.crt", directory / f"{number}.key"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        files = ["-keyout", str(key), "-out", str(certificate), "-subj", f"/CN={name}", "-days", "30"]
        subprocess.run(["openssl", "req", "-x509", *curve, *files], check=True, capture_output=True)
        key.chmod(0o644)
        return certificate, key

    yield make
    shutil.rmtree(directory)


@pytest.fixture
def users(tmp_path: Path) -> Path:
    """alice has the password `wonder land` (bcrypt), bob `builder` (sha512-crypt)."""
    file = tmp_path / "users"
    bob = "$6$saltsalt$AMApe3UxKRHFGgpM1NDN5e0tMZ6laQYyoi896lWiBlxd7Nwbszp8z77oH.h4MAG5Y14p5yLYfTD/sjuLtHEDG/"
    file.write_text(f"alice:{bcrypt.hashpw(b'wonder land', bcrypt.gensalt(4)).decode()}\nbob:{bob}\n")
    return file
