"""Ctrl-C and SIGTERM while a secret manager keeps kamal waiting: kamal ends, and so does the manager's program."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.process]

CONFIG = """\
service: app
image: me/app
servers: [127.0.0.1]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
env: {secret: [A]}
ssh: {port: 1}
"""
DECLARED = """\
x-pykamal:
  secrets:
    providers:
      slow: {adapter: exec, command: ./slow}
    from: {A: "slow:A"}
"""
SLOW = "#!/bin/sh\necho $$ > started.new\nmv started.new started\nsleep 60\n"


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "secrets file"])
@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("secrets check", signal.SIGINT),
        ("secrets check", signal.SIGTERM),
        ("secrets print", signal.SIGINT),
        ("secrets print", signal.SIGTERM),
        ("secrets print", signal.SIGHUP),
        ("app boot", signal.SIGTERM),
    ],
)
def test_nothing_is_left_behind(command: str, number: signal.Signals, declared: bool, tmp_path: Path) -> None:
    """The program of the manager and what it has started are gone within a few seconds, as is kamal."""
    for folder in ("config", ".kamal"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG + (DECLARED if declared else ""))
    if not declared:
        (tmp_path / ".kamal" / "secrets").write_text("A=$(./slow)\n")
    (tmp_path / "slow").write_text(SLOW)
    (tmp_path / "slow").chmod(0o755)
    kamal = subprocess.Popen(
        [sys.executable, "-m", "pykamal", *command.split()],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads here
    )
    try:
        wait_until((tmp_path / "started").exists)
        slow = int((tmp_path / "started").read_text())
        assert alive(slow)
        kamal.send_signal(number)
        kamal.wait(15)
        wait_until(lambda: not alive(slow))
    finally:
        kamal.kill()
        kamal.wait()


FAMILY = "#!/bin/sh\nsleep 60 &\necho $$ $! > started.new\nmv started.new started\nwait\n"


@pytest.mark.parametrize("words", [["print"], ["fetch", "--adapter", "exec", "--from", "./slow", "A"], ["doctor"]])
def test_nothing_is_left_behind_a_terminal(words: list[str], tmp_path: Path) -> None:
    """A program that may ask at the terminal is in our own group: what it has started ends by its descent."""
    for folder in ("config", ".kamal", "bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config" / "deploy.yml").write_text(CONFIG)
    (tmp_path / ".kamal" / "secrets").write_text("A=$(./slow)\n")
    for name in ("slow", "bin/op"):
        (tmp_path / name).write_text(FAMILY)
        (tmp_path / name).chmod(0o755)
    controller, terminal = pty.openpty()
    kamal = subprocess.Popen(
        [sys.executable, "-m", "pykamal", "secrets", *words],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"},
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads here
    )
    try:
        wait_until((tmp_path / "started").exists)
        family = [int(word) for word in (tmp_path / "started").read_text().split()]
        assert all(map(alive, family))
        kamal.terminate()
        assert kamal.wait(30) == 128 + signal.SIGTERM
        wait_until(lambda: not any(map(alive, family)))
    finally:
        kamal.kill()
        kamal.wait()
        os.close(controller)
        os.close(terminal)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(process: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
