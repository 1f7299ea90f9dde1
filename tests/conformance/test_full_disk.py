"""A disk that is full, for buffers and for the state: requests that need it fail, others do not notice."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conformance.proxy_process import IS_OURS, Proxy, find_child, wait_until
from tests.conformance.raw_http import head
from tests.conformance.scripted_target import Target

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")

BUFFERS = ("--buffer-requests", "--buffer-responses")
SIZE = 2 * 1024 * 1024


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """The directory with SIZE bytes of room."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=777", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextmanager
def filled(directory: Path) -> Iterator[None]:
    """No byte more fits while this lasts."""
    ballast = directory / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture
def buffers_disk(own_proxy: Proxy) -> Iterator[Path]:
    with small_disk(own_proxy.temporary) as directory:
        yield directory
        own_proxy.stop()


@pytest.fixture
def state_disk(own_proxy: Proxy) -> Iterator[Path]:
    with small_disk(own_proxy.state_path.parent) as directory:
        directory.chmod(0o777)
        yield directory
        own_proxy.stop()


def test_no_room_for_a_request(own_proxy: Proxy, buffers_disk: Path, t1: Target) -> None:
    """A body that must be kept and cannot is 500 (or 413), the target hears nothing, small ones pass (13)."""
    own_proxy.start().deploy("s", t1, *BUFFERS)
    body = b"x" * (2 * SIZE)
    with own_proxy.connect() as connection:
        connection.send(head("POST", "/echo", body=body))
        with suppress(OSError):
            connection.send(body)
        assert connection.read().status in (500, 413)
    chunks = b"100000\r\n" + b"y" * 0x100000 + b"\r\n"
    with own_proxy.connect() as connection:
        connection.send(head("POST", "/echo", headers=[("Transfer-Encoding", "chunked")]))
        with suppress(OSError):
            connection.send(chunks * 4 + b"0\r\n\r\n")
        assert connection.read().status in (500, 413)
    assert t1.requests == []
    assert own_proxy.ask(method="POST", body=b"x" * 10_000).seen["body_bytes"] == 10_000
    wait_until(lambda: os.statvfs(buffers_disk).f_bavail * os.statvfs(buffers_disk).f_frsize > SIZE // 2)


def test_no_room_for_a_response(own_proxy: Proxy, buffers_disk: Path, t1: Target) -> None:
    """A large response to a slow client is cut, or passed on at the client's pace; others are served."""
    own_proxy.start().deploy("s", t1, *BUFFERS)
    with own_proxy.connect() as slow:
        slow.send(head("GET", f"/big?n={8 * SIZE}"))
        wait_until(lambda: t1.requests)
        assert all(own_proxy.ask().status == 200 for _ in range(5))
        response = slow.read()
        assert response.status in (200, 500, 502)
        assert response.complete is (len(response.body) == 8 * SIZE) or response.status != 200
    assert own_proxy.ask().status == 200


@pytest.mark.skipif(not IS_OURS, reason="about this implementation's files")
def test_no_room_for_a_new_nginx(own_proxy: Proxy, buffers_disk: Path, t1: Target, t2: Target) -> None:
    """A data plane that dies while the disk is full comes back with the services of now."""
    own_proxy.start().deploy("s", t1)
    with filled(buffers_disk):
        own_proxy.deploy("s", t2)
        assert own_proxy.ask().served_by == "T2"
        killed = find_child(own_proxy, "nginx: master")
        os.kill(killed, 9)

        def served() -> bool:
            try:
                return find_child(own_proxy, "nginx: master") != killed and own_proxy.ask().served_by == "T2"
            except (OSError, ValueError):
                return False  # a worker of the killed one had it, or the new one is not told yet

        wait_until(served, 10)
        own_proxy.deploy("s", t1)
        assert own_proxy.ask().served_by == "T1"


def test_no_room_for_the_state(own_proxy: Proxy, state_disk: Path, t1: Target, t2: Target) -> None:
    """Deploys work on and say so in the log; the last file that fitted stays whole, the next write has it all (4)."""
    own_proxy.start().deploy("s", t1)
    before = own_proxy.state_path.read_text()
    with filled(state_disk):
        own_proxy.deploy("s", t2)
        assert own_proxy.ask().served_by == "T2"
        if IS_OURS:
            assert own_proxy.state_path.read_text() == before
            assert own_proxy.log_lines("Unable to save state")
    own_proxy.deploy("other", t1, "--host", "other.com")
    saved = {record["name"]: record["active_targets"] for record in json.loads(own_proxy.state_path.read_text())}
    assert saved == {"s": [t2.address], "other": [t1.address]}
