"""Waiting on the host: real shells, real processes, and a `docker` that only tells what the test says."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pykamal.commands import health
from pykamal.commands.command import Command, command

pytestmark = [pytest.mark.unit, pytest.mark.process]

WEB = "app-web-7"


def run(command: Command, directory: Path, answers: str, *, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    """Run a line with a `docker` that runs `answers`."""
    program = directory / "docker"
    program.write_text(f"#!/bin/sh\n{answers}\n")
    program.chmod(0o755)
    return subprocess.run(
        [shell, "-s"],
        input=f"( {command.shell_text()}\n)",
        env={"PATH": f"{directory}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def states(directory: Path, *looks: str) -> str:
    """Answers for `docker`: the looks one after another, the last one again and again. The clock does not wait."""
    (directory / "sleep").write_text("#!/bin/sh\n")
    (directory / "sleep").chmod(0o755)
    (directory / "looks").write_text("\n".join(looks) + "\n")
    count = f"echo x >> {directory}/calls; number=$(wc -l < {directory}/calls)"
    return f'{count}; sed -n "${{number}}p" {directory}/looks | grep . || tail -n 1 {directory}/looks'


def look(status: str, *, restarts: int = 0, started: str = "10:00", exit_code: int = 0, health: str = "") -> str:
    return f"{status} {restarts} {started} {exit_code} 99999999 {health}"


def wait(directory: Path, *looks: str, timeout: int = 3, delay: int = 0) -> subprocess.CompletedProcess[str]:
    line = health.wait("app-jobs-1", deploy_timeout=timeout, readiness_delay=delay)
    return run(line, directory, states(directory, *looks))


def looks_taken(directory: Path) -> int:
    return len((directory / "calls").read_text().split())


RUNNING = look("running")
HEALTHY = look("running", health="healthy")
RESTARTED = look("running", restarts=1, started="10:01")
AGAIN = look("running", restarts=2, started="10:02")
LOOPING = look("restarting", restarts=3, started="10:02", exit_code=1)


@pytest.mark.parametrize(
    ("delay", "looks", "said", "taken"),
    [
        pytest.param(5, [HEALTHY], "Container is healthy!", 1, id="healthy is enough"),
        pytest.param(2, [RUNNING], "waiting for readiness delay of 2 seconds", 3, id="the same process for the delay"),
        pytest.param(0, [RUNNING], "Container is healthy!", 1, id="no delay"),
        pytest.param(2, [RUNNING, RESTARTED], "Container is healthy!", 4, id="a restart begins the delay anew"),
        pytest.param(
            1, [look("running", restarts=1, health="healthy")], "delay of 1 seconds", 2, id="healthy after a restart"
        ),
        pytest.param(
            0, [look("running", health="starting"), HEALTHY], "Container is healthy!", 2, id="healthy in the end"
        ),
    ],
)
def test_a_container_that_is_ready(tmp_path: Path, delay: int, looks: list[str], said: str, taken: int) -> None:
    """spec/cli.md 13.5.1, and what it does not look at: restarts and the start time (docs/differences.md)."""
    done = wait(tmp_path, *looks, delay=delay)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert looks_taken(tmp_path) == taken


@pytest.mark.parametrize(
    ("looks", "why"),
    [
        pytest.param([RUNNING, RESTARTED, AGAIN, LOOPING], "3 seconds (restarted 3 times)", id="crash loop"),
        pytest.param([HEALTHY.replace("running 0", "running 3")], "0 seconds (restarted 3 times)", id="though healthy"),
        pytest.param([RUNNING, look("exited", exit_code=1)], "1 seconds (exited)", id="ended"),
        pytest.param(
            [look("exited", exit_code=1, health="starting")], "0 seconds (exited)", id="ended, with a health check"
        ),
        pytest.param([look("running", health="starting")], "9 seconds (starting)", id="never healthy"),
        pytest.param([look("created")], "9 seconds (created)", id="never started"),
    ],
)
def test_a_container_that_is_not_ready(tmp_path: Path, looks: list[str], why: str) -> None:
    """Three restarts or an end are not waited for any longer; anything else is until the time is over."""
    done = wait(tmp_path, *looks, timeout=9, delay=7)
    assert done.returncode == 1
    assert f"container not ready after {why}" in done.stderr


@pytest.mark.parametrize(("now", "status"), [(7, 0), (9, 0), (10, 1)])
def test_restarts_of_before_do_not_count_where_the_container_is_not_new(tmp_path: Path, now: int, status: int) -> None:
    """`app start` and `accessory start` find containers that the engine has restarted over the years."""
    line = health.wait_steady("app-db", deploy_timeout=3, new=False)
    done = run(line, tmp_path, states(tmp_path, "7", look("running", restarts=now)))
    assert done.returncode == status, done.stderr


@pytest.mark.parametrize(
    ("looks", "status"),
    [
        ([look("running", health="starting")], 0),
        ([look("exited", exit_code=0)], 0),
        ([look("exited", exit_code=1)], 1),
        ([RUNNING, RESTARTED, AGAIN, LOOPING], 1),
    ],
)
def test_an_accessory_is_only_to_stay_up(tmp_path: Path, looks: list[str], status: int) -> None:
    """An accessory must only stay up, or end its work well; its health check does not count."""
    done = run(health.wait_steady("app-db", deploy_timeout=9), tmp_path, states(tmp_path, *looks))
    assert done.returncode == status


@pytest.mark.parametrize(
    ("looks", "status", "taken"),
    [
        pytest.param([RUNNING], 0, 1, id="as it was"),
        pytest.param([look("running", health="starting")], 0, 1, id="Docker's own check is not the proxy's"),
        pytest.param([RESTARTED], 0, 3, id="restarted, and steady since"),
        pytest.param([RESTARTED, AGAIN, LOOPING], 1, 3, id="crash loop"),
        pytest.param([look("exited", exit_code=0)], 1, 1, id="ended"),
    ],
)
def test_a_container_that_was_ready_is_looked_at_again(
    tmp_path: Path, looks: list[str], status: int, taken: int
) -> None:
    """A container that ends after its first good check fails the deploy; a good one costs one look."""
    line = health.still_up(WEB, deploy_timeout=9, readiness_delay=2)
    assert run(line, tmp_path, states(tmp_path, *looks)).returncode == status
    assert looks_taken(tmp_path) == taken


def test_a_container_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    """spec/cli.md 13.5.1: a command failure is not retried."""
    line = health.wait("app-jobs-1", deploy_timeout=60, readiness_delay=0)
    done = run(line, tmp_path, "echo 'No such container' >&2; exit 1")
    assert done.returncode == 1


SWITCH = command("docker", "exec", "kamal-proxy", "kamal-proxy", "deploy", "app-web")


def switched(directory: Path, shell: str, *, proxy: str, container: str) -> subprocess.CompletedProcess[str]:
    answers = f'case "$*" in *inspect*) {container} ;; *) {proxy} ;; esac'
    return run(health.watched(SWITCH, "app-web-1", port=1), directory, answers, shell=shell)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_what_the_proxy_says_counts(tmp_path: Path, shell: str) -> None:
    """Its exit status, its words and nothing else, however soon it is done."""
    up = f"echo '{RUNNING}'"
    done = switched(tmp_path, shell, proxy="echo switched", container=up)
    assert (done.returncode, done.stdout, done.stderr) == (0, "switched\n", "")
    failed = switched(tmp_path, shell, proxy="echo 'Error: not healthy' >&2; exit 1", container=up)
    assert (failed.returncode, failed.stderr) == (1, "Error: not healthy\n")


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(
    ("state", "why"), [(LOOPING, "restarted 3 times"), (look("exited", exit_code=1), "exited")], ids=["loop", "ended"]
)
def test_the_proxy_is_not_waited_for_once_the_container_is_lost(
    tmp_path: Path, shell: str, state: str, why: str
) -> None:
    """A crash loop fails at once behind the proxy too, which would wait for deploy_timeout."""
    told = tmp_path / "told"
    once_told = f"while [ ! -s {told} ]; do sleep 0.01; done; echo '{state}'"
    done = switched(tmp_path, shell, proxy=f"echo $$ > {told}; exec sleep 600", container=once_told)
    assert done.returncode == health.NOT_READY_STATUS
    assert re.fullmatch(rf"container not ready after \d+ seconds \({why}\)\n", done.stderr)
    assert not Path("/proc", told.read_text().strip()).exists(), "nothing is left waiting"


OPENED_LATE = """
import pathlib, socket, time
looks, opened = pathlib.Path("looks"), pathlib.Path("opened")
while not looks.exists() or looks.read_text().count("x") < 2:
    time.sleep(0.01)
server = socket.create_server(("127.0.0.1", {port}))
opened.touch()
time.sleep(600)
"""
"""A program that opens its port once it was looked for in vain."""

TWO_LOOKS_LATER = """\
until [ -e opened ]; do sleep 0.01; done
seen=$(grep -c x looks)
until [ "$(grep -c x looks)" -ge $((seen + 2)) ]; do sleep 0.01; done"""
"""A proxy that ends when the open port was certainly seen."""


def test_a_port_that_opens_late_is_told(tmp_path: Path) -> None:
    """The time until the port opened is evidence that deploy_timeout is too short."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", OPENED_LATE.format(port=port)], cwd=tmp_path) as server:
        state = look("running").replace("99999999", str(server.pid))
        inspected = f'echo x >> looks; echo "{state}"'
        answers = f'cd {tmp_path}\ncase "$*" in *inspect*) {inspected} ;; *) {TWO_LOOKS_LATER} ;; esac'
        done = run(health.watched(SWITCH, WEB, port=port), tmp_path, answers)
        server.terminate()
    assert done.returncode == 0
    assert re.fullmatch(rf"port {port} was open after [1-9]\d* seconds\n", done.stderr)


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
        done = run(health.listening(WEB, port=listening), tmp_path, f"echo {server.pid}")
        waited = time.monotonic() - started
        closed = run(health.listening(WEB, port=1), tmp_path, f"echo {server.pid}")
        server.terminate()
    assert done.returncode == closed.returncode == 0, "a port that stays closed is for the proxy to judge"
    assert waited < health.LISTENING_SECONDS, "an open port is not waited for"


def test_an_unknown_container_or_process_is_not_waited_for(tmp_path: Path) -> None:
    """An engine whose processes cannot be seen, or a container that has exited."""
    for answers in ("exit 1", "echo 0", "echo 99999999"):
        started = time.monotonic()
        assert run(health.listening(WEB, port=80), tmp_path, answers).returncode == 0
        assert time.monotonic() - started < health.LISTENING_SECONDS


def test_long_lines_are_shown_by_what_they_do() -> None:
    """The displayed text names the container and the limit."""
    assert health.listening(WEB, port=3000).display_text() == (
        "# wait until app-web-7 listens on port 3000, at most 2 seconds"
    )
