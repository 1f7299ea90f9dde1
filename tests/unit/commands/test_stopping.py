"""Stopping a container: done is what is seen not to run, and one that took long is told of."""

from __future__ import annotations

import json
import subprocess

import pytest

from pykamal.commands import stopping
from pykamal.commands.command import Command, query
from tests.unit.commands.shell import SHELLS, run

pytestmark = [pytest.mark.unit, pytest.mark.process]

STOP = stopping.stop("app-web-1", "-t", "30")
GONE = "Error: No such container: app-web-1"
ENGINE = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."


def stopped(
    line: Command, shell: str, *, status: int = 0, running: str = "false", seconds: int = 0
) -> subprocess.CompletedProcess[bytes]:
    """With a `docker` whose `stop` ends so after so many seconds, and whose `inspect` says what is `running`."""
    end = json.dumps({"state": {"ExitCode": 137}})
    functions = f"""
    clock=100
    date() {{ echo "$clock"; }}
    docker() {{
      case "$*" in
        *Running*) echo '{running}' ;;
        *inspect*) echo '{end}' ;;
        *) echo "$*" >&2; clock=$((clock + {seconds})); return {status} ;;
      esac
    }}
    """
    return run(functions + line.shell_text(), shell=shell)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("status", "running", "expected"),
    [(0, "", 0), (1, "false", 0), (1, GONE, 0), (1, "true", 1), (1, ENGINE, 1)],
    ids=["stopped", "was not running", "gone", "runs on", "no engine"],
)
def test_what_is_stopped_does_not_run(shell: str, status: int, running: str, expected: int) -> None:
    """spec/cli.md 13.5.1, step 10, ignores the exit status; here a container that runs on is a failure."""
    done = stopped(STOP, shell, status=status, running=running)
    assert done.returncode == expected
    assert b"stop -t 30 app-web-1\n" in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_one_that_took_long_is_told_of(shell: str) -> None:
    """A slow stop is reported with its exit code and its seconds."""
    assert stopped(STOP, shell, seconds=1).stdout == b""
    seconds, _, end = stopped(STOP, shell, seconds=30).stdout.decode().partition(" ")
    assert (seconds, json.loads(end)) == ("30", {"state": {"ExitCode": 137}})


@pytest.mark.parametrize("shell", SHELLS)
def test_a_container_that_has_to_be_found(shell: str) -> None:
    """spec/cli.md 14.3: whichever version runs; none is as good as stopped."""
    found = stopping.stop_found(query("echo", "4f5e"), "-t", "5")
    assert found.display_text() == "echo 4f5e | xargs docker stop -t 5"
    assert stopped(found, shell).stderr == b"stop -t 5 4f5e\n"
    nothing = stopped(stopping.stop_found(query("true")), shell, status=1, running="true")
    assert (nothing.returncode, nothing.stderr) == (0, b"")
