"""Files and env files as they arrive on a real file system."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykamal.commands import env_file, host_files
from pykamal.commands.command import Effect
from pykamal.core.sensitive import Sensitive
from tests.unit.commands.shell import SHELLS, run

pytestmark = pytest.mark.unit

CONTENT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.process
@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENT)
def test_written_bytes_are_exact(shell: str, tmp_path: Path, content: str) -> None:
    """spec/config.md 18.10: an env file has mode 0600 and exactly the given bytes."""
    line = host_files.write("web.env", Sensitive(content), "0600")
    assert run(line, directory=tmp_path, shell=shell).returncode == 0
    assert (tmp_path / "web.env").read_bytes() == content.encode()
    assert mode(tmp_path / "web.env") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["web.env"]


@pytest.mark.process
@pytest.mark.parametrize("content", [b"", b"one\r\ntwo", "grüße".encode(), b"\x00\xff\n\n", bytes(range(256)) * 99])
def test_written_bytes_may_be_anything(tmp_path: Path, content: bytes) -> None:
    """spec/cli.md 6.5: a file is uploaded as it is, be it text or not."""
    assert run(host_files.write("f", content, "0644"), directory=tmp_path).returncode == 0
    assert (tmp_path / "f").read_bytes() == content


def test_write_line() -> None:
    """spec/cli.md 20.2: the file is written under umask 077 from standard input, then renamed."""
    temporary = "'a b'.new-$$"
    assert host_files.write("a b", Sensitive("x"), "0644").display_text() == (
        f"(umask 077 && printf '%s' [REDACTED] | cat > {temporary} && chmod 0644 {temporary} "
        f"&& mv -fT {temporary} 'a b' || {{ rm -f {temporary} ; false; }})"
    )


@pytest.mark.process
def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A disk that takes no more leaves the file as it was and nothing beside it."""
    (tmp_path / "f").write_text("old")
    line = f"ulimit -f 1; {host_files.write('f', 'x' * 9999, '0600').shell_text()}"
    assert run(line, directory=tmp_path).returncode != 0
    assert (tmp_path / "f").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.process
def test_write_fails_where_there_is_no_directory(tmp_path: Path) -> None:
    """files.write: the parent directory must exist."""
    assert run(host_files.write("no/f", "x", "0600"), directory=tmp_path).returncode != 0


@pytest.mark.process
def test_a_link_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    """A rename never writes through a symbolic link."""
    (tmp_path / "target").write_text("old")
    (tmp_path / "f").symlink_to("target")
    run(host_files.write("f", "new", "0600"), directory=tmp_path)
    assert ((tmp_path / "f").read_text(), (tmp_path / "target").read_text()) == ("new", "old")


@pytest.mark.process
def test_directories_and_removal(tmp_path: Path) -> None:
    """spec/cli.md 14.6: a missing file or directory is no failure of the run."""
    assert host_files.make_directory("a/b", "c").display_text() == "mkdir -p a/b c"
    run(host_files.make_directory("a/b", mode="0700"), directory=tmp_path)
    assert mode(tmp_path / "a/b") == 0o700
    assert host_files.remove("x").display_text() == "rm x"
    assert host_files.remove("x", recursive=True).display_text() == "rm -r x"
    assert host_files.remove("x").may_fail
    assert host_files.remove("x").effect is Effect.CHANGE


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a b'`$\"#", "a b'`$\"#"),
        ("a\nb", "a\\nb"),
        ("\t\r\a\b\v\f\x1b", "\\t\\r\\a\\b\\v\\f\\e"),
        ("\x00\x01\x7f", "\\x00\\x01\\x7F"),
        ('a"b', 'a"b'),
        ("a\\b", "a\\\\b"),
        ("a\\nb", "a\\\\nb"),
        ("#{x} #$x", "#{x} #$x"),
        ("\\#", "\\#"),
        ("\\\\#", "\\\\\\#"),
        ('\\"', '\\\\"'),
        ("é世🙂\u00a0", "é世🙂\u00a0"),
        ("", ""),
        (None, ""),
    ],
)
def test_env_file_values(value: str | None, expected: str) -> None:
    """spec/config.md 18.6: the table of inputs and outputs."""
    assert env_file.encode([("K", value)]).reveal() == f"K={expected}\n"
    if value is not None:
        assert env_file.encode([("K", Sensitive(value))]) == env_file.encode([("K", value)])


def test_env_file_lines() -> None:
    """spec/config.md 18.6: one line a secret in the order given; a single newline without any."""
    assert env_file.encode([("B", Sensitive("1")), ("A", "2")]).reveal() == "B=1\nA=2\n"
    assert env_file.encode([]).reveal() == "\n"
    assert str(env_file.encode([("B", "s3cr3t")])) == "[REDACTED]"


@given(st.lists(st.tuples(st.from_regex("[A-Z]+", fullmatch=True), st.text()), min_size=1))
def test_every_value_is_one_line(pairs: list[tuple[str, str]]) -> None:
    """spec/config.md 18.6: the aim is one physical line a value."""
    text = env_file.encode(pairs).reveal()
    assert text.count("\n") == len(pairs)
    assert "\0" not in text
    assert "\r" not in text
