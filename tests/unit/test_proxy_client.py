"""The proxy's short-lived client: what it costs to start (spec/proxy.md 21: each deploy step starts one)."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit


def test_a_client_imports_no_server() -> None:
    """Neither asyncio, argparse, ssl nor anything of the server is loaded for a client's whole life."""
    code = (
        "import sys; from pykamal.proxy.__main__ import main; main(['list']);"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in"
        " ('asyncio', 'argparse', 'ssl', 'subprocess', 'dataclasses', 'pathlib')"
        " or name in ('pykamal.proxy.control', 'pykamal.proxy.supervisor')))"
    )
    environment = {"KAMAL_PROXY_SOCKET": "/nonexistent/socket", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "[]\n"
    assert done.stderr == "Error: dial unix /nonexistent/socket: connect: no such file or directory\n"
