"""One `up` or `down` of a name at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pykamal.sandbox import sandbox

pytestmark = pytest.mark.unit


def test_holders_take_turns(tmp_path: Path) -> None:
    """One of many has the lock; each removes the file, and the old file does not fool the next one."""
    lock = tmp_path / "folder" / ".lock"
    inside = 0
    most = 0
    turns = 0

    def hold() -> None:
        nonlocal inside, most, turns
        for _ in range(50):
            with sandbox._lock(lock):
                inside += 1
                most = max(most, inside)
                turns += 1
                inside -= 1

    threads = [threading.Thread(target=hold) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, turns) == (1, 400)
    assert not lock.exists()


def test_a_failure_gives_the_lock_back(tmp_path: Path) -> None:
    """An `up` that fails does not stop the next one."""
    lock = tmp_path / ".lock"
    with pytest.raises(RuntimeError), sandbox._lock(lock):
        raise RuntimeError
    with sandbox._lock(lock):
        assert lock.exists()
