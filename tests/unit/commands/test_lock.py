"""The deploy lock, taken and given back in a real directory."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykamal.commands import lock
from pykamal.commands.command import Effect
from tests.unit.commands.shell import SHELLS, run
from tests.unit.samples import config, role

pytestmark = pytest.mark.unit

CONFIG = config(role("web", "10.0.0.1"))
TEXT = "Locked by: Jane Dö at 2026-11-22T00:30:57Z\nVersion: v1\nMessage: Automatic deploy lock"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".kamal").mkdir()
    return tmp_path


def test_details_text() -> None:
    """spec/cli.md 8.1: three lines, no newline at the end."""
    text = lock.details_text(
        locked_by="Jane Dö", at="2026-11-22T00:30:57Z", version="v1", message="Automatic deploy lock"
    )
    assert text == TEXT


def test_lines() -> None:
    """spec/cli.md 8.1: release and status; lock commands are shown with --verbose only."""
    assert lock.release(CONFIG).display_text() == "rm .kamal/lock-app/details && rm -r .kamal/lock-app"
    assert (
        lock.status(CONFIG).display_text()
        == "stat .kamal/lock-app > /dev/null && cat .kamal/lock-app/details | base64 -d"
    )
    assert (lock.status(CONFIG).effect, lock.release(CONFIG).effect) == (Effect.READ, Effect.CHANGE)
    assert all(line.quiet for line in (lock.acquire(CONFIG, TEXT), lock.release(CONFIG), lock.status(CONFIG)))


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("length", [0, 1, 44, 45, 46, 90, 200])
def test_file_of_a_taken_lock(shell: str, length: int, home: Path) -> None:
    """spec/cli.md 8.1: base64 in lines of 60 characters, each with a newline, and echo's own newline."""
    text = "x" * length
    assert run(lock.acquire(CONFIG, text), directory=home, shell=shell).returncode == 0
    encoded = base64.b64encode(text.encode()).decode()
    lines = [encoded[start : start + 60] for start in range(0, len(encoded), 60)]
    assert (home / ".kamal/lock-app/details").read_text() == "".join(f"{line}\n" for line in lines) + "\n"


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
def test_held_lock_tells_its_holder(shell: str, home: Path) -> None:
    """spec/cli.md 8.2: the second one gets the status text, and leaves the lock as it is."""
    assert run(lock.acquire(CONFIG, TEXT), directory=home, shell=shell).returncode == 0
    second = run(lock.acquire(CONFIG, "other"), directory=home, shell=shell)
    assert (second.returncode, second.stdout.decode()) == (lock.LOCK_HELD_STATUS, TEXT)
    assert run(lock.status(CONFIG), directory=home, shell=shell).stdout.decode() == TEXT


@pytest.mark.process
def test_held_lock_without_details_is_still_held(home: Path) -> None:
    """spec/cli.md 8.1: the directory is the lock; the text follows a moment later."""
    (home / ".kamal/lock-app").mkdir()
    second = run(lock.acquire(CONFIG, TEXT), directory=home)
    assert (second.returncode, second.stdout, second.stderr) == (lock.LOCK_HELD_STATUS, b"", b"")


@pytest.mark.process
def test_other_failures_are_not_a_held_lock(tmp_path: Path) -> None:
    """spec/cli.md 22, quirk 16: a directory that cannot be made is no held lock, and the reason is shown."""
    result = run(lock.acquire(CONFIG, TEXT), directory=tmp_path)
    assert result.returncode not in (0, lock.LOCK_HELD_STATUS)
    assert b"No such file or directory" in result.stderr


@pytest.mark.process
def test_lock_that_cannot_be_written_is_undone(home: Path) -> None:
    """A full disk leaves no lock without a holder."""
    line = lock.acquire(CONFIG, TEXT).shell_text().replace("> .kamal/lock-app/details", "> /dev/full")
    assert run(line, directory=home).returncode == 1
    assert not (home / ".kamal/lock-app").exists()


@pytest.mark.process
def test_release(home: Path) -> None:
    """spec/cli.md 8.4: releasing twice fails the second time."""
    run(lock.acquire(CONFIG, TEXT), directory=home)
    assert run(lock.release(CONFIG), directory=home).returncode == 0
    assert run(lock.release(CONFIG), directory=home).returncode != 0


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)


@given(holder=NAMES, version=NAMES, message=NAMES)
def test_details_are_read_back(holder: str, version: str, message: str) -> None:
    """spec/cli.md 8.1: what is written can be read."""
    text = lock.details_text(locked_by=holder, at="2026-11-22T00:30:57Z", version=version, message=message)
    assert lock.parse_details(text) == lock.LockDetails(holder, "2026-11-22T00:30:57Z", version, message)


def test_automatic_locks_are_known() -> None:
    """spec/cli.md 8.2: only an automatic lock is worth waiting for."""
    assert lock.parse_details(TEXT).automatic
    assert not lock.parse_details(TEXT.replace("Automatic deploy lock", "Database move")).automatic


def test_foreign_text_is_kept_as_message() -> None:
    """A lock made by hand with `mkdir` has no text, or any."""
    assert lock.parse_details("by hand\n") == lock.LockDetails("", "", "", "by hand")
    assert lock.parse_details("") == lock.LockDetails("", "", "", "")
