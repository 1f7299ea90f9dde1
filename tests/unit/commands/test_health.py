"""Waiting on the host: real shells, real processes, and a `docker` that only tells what the test says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pykamal.commands import health
from pykamal.commands.command import Command
from tests.unit.samples import role

pytestmark = pytest.mark.unit

WEB = role("web", "10.0.0.1")


def run(command: Command, directory: Path, answers: str) -> subprocess.CompletedProcess[str]:
    """Run a line with a `docker` that runs `answers`."""
    program = directory / "docker"
    program.write_text(f"#!/bin/sh\n{answers}\n")
    program.chmod(0o755)
    return subprocess.run(
        ["sh", "-s"],
        input=f"( {command.wire()}\n)",
        env={"PATH": f"{directory}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def wait(directory: Path, answers: str, *, timeout: int = 3) -> subprocess.CompletedProcess[str]:
    return run(health.wait(WEB, "1", deploy_timeout=timeout, readiness_delay=0), directory, answers)


def test_healthy_is_enough(tmp_path: Path) -> None:
    """spec/cli.md 13.5.1: `healthy`: done."""
    done = wait(tmp_path, "echo healthy")
    assert (done.returncode, done.stdout.strip()) == (0, "Container is healthy!")


def test_running_must_still_run_after_the_delay(tmp_path: Path) -> None:
    """spec/cli.md 13.5.1: without a health check, `running` is looked at twice."""
    twice = f"echo x >> {tmp_path}/calls; echo running"
    assert wait(tmp_path, twice).returncode == 0
    assert (tmp_path / "calls").read_text().split() == ["x", "x"]
    (tmp_path / "calls").unlink()
    crashed = f"echo x >> {tmp_path}/calls; [ $(wc -l < {tmp_path}/calls) -eq 1 ] && echo running || echo exited"
    done = wait(tmp_path, crashed)
    assert done.returncode == 1
    assert "(exited)" in done.stderr


def test_starting_is_waited_for_until_the_time_is_over(tmp_path: Path) -> None:
    """spec/cli.md 13.5.1: at the deadline the last status is told."""
    done = wait(tmp_path, "echo starting", timeout=1)
    assert done.returncode == 1
    assert "container not ready after 1 seconds (starting)" in done.stderr


def test_a_container_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    """spec/cli.md 13.5.1: a command failure is not retried."""
    done = wait(tmp_path, "echo 'No such container' >&2; exit 1", timeout=60)
    assert done.returncode == 1


def test_the_first_check_waits_for_the_port(tmp_path: Path) -> None:
    """The line returns once the process listens, and not before."""
    program = (
        "import socket, time; time.sleep(0.4); s = socket.create_server(('127.0.0.1', 0)); "
        "open('port', 'w').write(str(s.getsockname()[1])); time.sleep(30)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as server:
        port_file = tmp_path / "port"
        while not port_file.exists() or not port_file.read_text():
            time.sleep(0.01)
        listening = int(port_file.read_text())
        started = time.monotonic()
        done = run(health.listening(WEB, "1", port=listening), tmp_path, f"echo {server.pid}")
        waited = time.monotonic() - started
        closed = run(health.listening(WEB, "1", port=1), tmp_path, f"echo {server.pid}")
        server.terminate()
    assert done.returncode == closed.returncode == 0, "a port that stays closed is for the proxy to judge"
    assert waited < health.LISTENING_SECONDS, "an open port is not waited for"


def test_an_unknown_container_or_process_is_not_waited_for(tmp_path: Path) -> None:
    """An engine whose processes cannot be seen, or a container that has exited."""
    for answers in ("exit 1", "echo 0", "echo 99999999"):
        started = time.monotonic()
        assert run(health.listening(WEB, "1", port=80), tmp_path, answers).returncode == 0
        assert time.monotonic() - started < health.LISTENING_SECONDS


def test_listeners_are_those_of_the_process(tmp_path: Path) -> None:
    """What a real process listens on, in hexadecimal; nothing, and no failure, for one that cannot be seen."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = run(health.listeners(WEB, "1"), tmp_path, f"echo {os.getpid()}")
        assert f"0100007F:{port:04X}" in found.stdout.split()
    assert run(health.listeners(WEB, "1"), tmp_path, "echo 0").stdout == ""
    assert health.listeners(WEB, "1").may_fail


def test_long_lines_are_shown_by_what_they_do() -> None:
    """What people see names the container and the limit."""
    assert str(health.listening(WEB, "7", port=3000)) == (
        "# wait until app-web-7 listens on port 3000, at most 2 seconds"
    )
