"""The real machine behind the configuration."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pykamal.erb.system import CommandRefused
from pykamal.operations.local.local_system import LocalSystem, SafeSystem

pytestmark = pytest.mark.unit


@pytest.mark.process
def test_shell_lines_run_in_the_working_directory(tmp_path: Path) -> None:
    """Back-ticks see the template's environment and the caller's folder; a failure is empty output."""
    system = LocalSystem(tmp_path, {})
    assert system.run_shell('printf "%s %s" "$PWD" "$A"', {"A": "1", "PATH": "/usr/bin:/bin"}) == f"{tmp_path} 1"
    assert system.run_shell("exit 3", {}) == ""


def test_files(tmp_path: Path) -> None:
    """At most so many bytes are read, and a folder that is not there has no files."""
    (tmp_path / "a").write_bytes(b"12345")
    system = LocalSystem(tmp_path, {})
    assert system.read_bytes(tmp_path / "a", 3) == b"123"
    assert system.file_names(tmp_path) == ["a"]
    assert system.file_names(tmp_path / "none") == []
    with pytest.raises(IsADirectoryError):
        system.read_bytes(tmp_path, 1)


@pytest.mark.process
def test_dotenv_values_may_run_commands(tmp_path: Path) -> None:
    """The dotenv grammar is that of the secrets files, command substitution included."""
    values = LocalSystem(tmp_path, {}).parse_dotenv(
        'A=$(printf x)\nB="$C"', {"C": "y", "PATH": "/usr/bin:/bin"}, ".env"
    )
    assert dict(values) == {"A": "x", "B": "y"}


def test_caller_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without arguments it is the process's own folder and environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_NAME", "v")
    system = LocalSystem()
    assert system.working_directory == tmp_path
    assert system.environment["SOME_NAME"] == "v"


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_only_regular_files_are_read(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, a device or a socket is refused at once; a pipe without a writer would be waited for."""
    monkeypatch.chdir(tmp_path)
    if kind == "pipe":
        os.mkfifo("file")
    elif kind == "device":
        Path("file").symlink_to("/dev/zero")
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("file")
        listener.close()
    for system in (LocalSystem(), SafeSystem(roots=[Path("/")])):
        with pytest.raises(OSError, match=r"not a regular file|No such device or address"):
            system.read_bytes(tmp_path / "file", 10)


def test_safe_system_runs_nothing(tmp_path: Path) -> None:
    """A shell line, written in back-ticks or in a dotenv file, is refused by name, and nothing comes of it."""
    system = SafeSystem(tmp_path)
    with pytest.raises(CommandRefused) as caught:
        system.run_shell("touch canary", {})
    assert caught.value.line == "touch canary"
    with pytest.raises(CommandRefused):
        system.parse_dotenv("A=$(touch canary)", {}, ".env")
    assert list(tmp_path.iterdir()) == []


def test_safe_system_can_skip_commands(tmp_path: Path) -> None:
    """Callers who show what is known get nothing for a shell line, and learn which lines were skipped."""
    system = SafeSystem(tmp_path, skip_commands=True)
    assert system.run_shell("touch canary", {}) == ""
    assert dict(system.parse_dotenv("A=$(touch canary)x", {}, ".env")) == {"A": "x"}
    assert system.skipped == ["touch canary", "touch canary"]
    assert list(tmp_path.iterdir()) == []


def test_safe_system_sees_the_named_variables_only(tmp_path: Path) -> None:
    """Variables that are not in the list are not in the environment."""
    system = SafeSystem(tmp_path, visible=["A", "NOT_SET"], environment={"A": "1", "SECRET": "s"})
    assert dict(system.environment) == {"A": "1"}


def test_safe_system_reads_below_its_roots_only(tmp_path: Path) -> None:
    """Neither a path nor a symbolic link leads out of the project."""
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret").write_text("s")
    (project / "link").symlink_to(tmp_path / "secret")
    (project / "file").write_text("f")
    system = SafeSystem(project)
    assert system.read_bytes(project / "file", 9) == b"f"
    for path in (project / "link", project / ".." / "secret", tmp_path / "secret"):
        with pytest.raises(PermissionError):
            system.read_bytes(path, 9)
    assert SafeSystem(project, roots=[tmp_path]).read_bytes(project / "link", 9) == b"s"
