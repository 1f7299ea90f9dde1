"""The proxy's short-lived client: what it costs to start (spec/proxy.md 21: each deploy step starts one)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.process]


def test_a_client_imports_no_server() -> None:
    """Neither asyncio, argparse, ssl nor anything of the server is loaded for a client's whole life."""
    code = (
        "import sys; from pykamal.proxy.__main__ import main; main(['list']);"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in"
        " ('asyncio', 'argparse', 'ssl', 'subprocess', 'dataclasses', 'pathlib')"
        " or name in ('pykamal.proxy.control_plane', 'pykamal.proxy.supervisor')))"
    )
    environment = {"KAMAL_PROXY_SOCKET": "/nonexistent/socket", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[]\n"
    assert done.stderr == "Error: dial unix /nonexistent/socket: connect: no such file or directory\n"


def test_a_log_that_takes_nothing_stops_nobody() -> None:
    """With a full disk behind standard output, or nobody, the work that is logged goes on."""
    code = "from pykamal.proxy.json_log import log; log('INFO', 'x', text='\\udc80'); import sys; sys.exit(7)"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (7, b"")


def test_arguments_that_are_no_text_are_refused() -> None:
    """Neither nginx's table nor the state file could hold them."""
    command: list[str | bytes] = [sys.executable, "-m", "pykamal.proxy", "remove", b"\xff"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: arguments must be UTF-8\n")


@pytest.mark.parametrize(
    ("arguments", "redirection", "stderr"),
    [
        (["--help"], "> /dev/full", b"Error: write /dev/stdout: no space left on device\n"),
        (["--help"], ">&-", b"Error: write /dev/stdout: bad file descriptor\n"),
        (["--bogus"], "2> /dev/full", b""),
        (["--bogus"], "2>&-", b""),
    ],
)
def test_output_that_goes_nowhere_is_an_error(arguments: list[str], redirection: str, stderr: bytes) -> None:
    """One line, where there is somewhere to write it, and status 1; never a traceback."""
    program = f'"{sys.executable}" -m pykamal.proxy {" ".join(arguments)} {redirection}'
    done = subprocess.run(["sh", "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", stderr)


def test_messages_are_utf_8_in_every_locale() -> None:
    """As the names of services and hosts are."""
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "pykamal.proxy", "é"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.stderr.splitlines()[0] == 'Error: unknown command "é" for "kamal-proxy"'.encode()
