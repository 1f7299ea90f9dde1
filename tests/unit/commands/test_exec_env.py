"""Variables of `app exec --env`: Docker reads their values, and no argument of a program has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pykamal.commands import exec_env
from pykamal.commands.command import command
from pykamal.commands.processes import by_login_shell
from pykamal.commands.words import Raw
from tests.unit.commands.shell import SHELLS, run

pytestmark = [pytest.mark.unit, pytest.mark.process]

ENV = {
    "A": "a  b 'q' \"q\" $HOME `id` \\ # grün = 1 ",
    "EMPTY": "",
    "LINES": "1\n2",
    "a.b-c": "x",
    "WHO": "${ME}",
}
FILE = "A=a  b 'q' \"q\" $HOME `id` \\ # grün = 1 \nLINES=1\\n2\na.b-c=x\nWHO=me\n"
"""Values as in Ruby Kamal's `--env NAME="VALUE"` (spec/config.md 18.7), one on each line as Docker reads such files."""


@pytest.mark.parametrize("shell", SHELLS)
def test_docker_reads_the_values_from_standard_input(shell: str) -> None:
    """Later commands of the user's line find standard input empty; the line's own shell is the login's."""
    line = command("cat", "/dev/stdin", Raw("&& cat && echo $0"))
    told = exec_env.from_stdin(ENV, line)
    ended = run(f"ME=me SHELL={shell}; export SHELL; {told.shell_text()}", shell=shell, stdin=b"other")
    assert ended.stdout.decode() == f"{FILE}{shell}\n"
    assert told.display_text() == "cat /dev/stdin && cat && echo $0"
    assert told.program == "cat"


@pytest.mark.parametrize("shell", [*SHELLS, "zsh", "fish"])
def test_docker_reads_the_values_from_a_file_that_is_gone(tmp_path: Path, shell: str) -> None:
    """Docker gets the values from a file under any login shell if standard input is a terminal."""
    path = ".kamal/apps/it's/exec-1"
    (tmp_path / path).parent.mkdir(parents=True)
    written = run(f"ME=me; {exec_env.write(path, ENV).shell_text()}", directory=tmp_path)
    assert (written.returncode, written.stderr) == (0, b"")
    assert (tmp_path / path).stat().st_mode & 0o777 == 0o600
    line = command("cat", "/dev/fd/3", Raw("; cat; ls -A .kamal/apps/*"))
    told = exec_env.from_file(path, line).shell_text()
    assert "a  b" not in told
    environment = {"SHELL": shell, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    ended = subprocess.run(
        [shell, "-c", told], cwd=tmp_path, env=environment, input="typed\n", capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == (f"{FILE}typed\n", "")


def test_a_file_that_nothing_reads_is_removed(tmp_path: Path) -> None:
    """A terminal's `ssh` may never get to the host. The script that says so does not wait, and may be ended."""
    (tmp_path / "unread").touch()
    line = exec_env.remove_later("unread", seconds=0)
    ended = run(f"{line.shell_text()}\nwait; ls", directory=tmp_path)
    assert ended.stdout == b""


def test_variables_without_a_value_are_arguments() -> None:
    """spec/config.md 18.8: Docker unsets them in the container, which a file cannot tell it."""
    assert exec_env.flags({"A": "", "B": " "}, None) == ["--env", "A", "--env", "B"]
    assert exec_env.flags({"A": "", "B": "1"}, None) == ["--env-file", "/dev/stdin", "--env", "A"]
    assert exec_env.flags({"A": "", "B": "1"}, "stdin") == ["--env-file", "/dev/fd/3", "--env", "A"]
    line = command("docker", "exec", "c", "env")
    assert exec_env.from_stdin({"A": ""}, line).shell_text() == by_login_shell(line).shell_text()
