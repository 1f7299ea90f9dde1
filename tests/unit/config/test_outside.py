"""The real machine behind the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykamal.operations.local.outside import LocalOutside

pytestmark = pytest.mark.unit


def test_shell_lines_run_in_the_working_directory(tmp_path: Path) -> None:
    """Back-ticks see the template's environment and the caller's folder; a failure is empty output."""
    outside = LocalOutside(tmp_path, {})
    assert outside.run_shell('printf "%s %s" "$PWD" "$A"', {"A": "1", "PATH": "/usr/bin:/bin"}) == f"{tmp_path} 1"
    assert outside.run_shell("exit 3", {}) == ""


def test_files(tmp_path: Path) -> None:
    """At most so many bytes are read, and a folder that is not there has no files."""
    (tmp_path / "a").write_bytes(b"12345")
    outside = LocalOutside(tmp_path, {})
    assert outside.read_bytes(tmp_path / "a", 3) == b"123"
    assert outside.file_names(tmp_path) == ["a"]
    assert outside.file_names(tmp_path / "none") == []
    with pytest.raises(IsADirectoryError):
        outside.read_bytes(tmp_path, 1)


def test_dotenv_values_may_run_commands(tmp_path: Path) -> None:
    """The dotenv grammar is that of the secrets files, command substitution included."""
    values = LocalOutside(tmp_path, {}).parse_dotenv('A=$(printf x)\nB="$C"', {"C": "y", "PATH": "/usr/bin:/bin"})
    assert dict(values) == {"A": "x", "B": "y"}


def test_caller_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without arguments it is the process's own folder and environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_NAME", "v")
    outside = LocalOutside()
    assert outside.working_directory == tmp_path
    assert outside.environment["SOME_NAME"] == "v"
