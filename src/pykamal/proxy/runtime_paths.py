"""Paths of the proxy's socket, data and temporary files (spec/proxy.md 2)."""

from __future__ import annotations

import os

from pykamal.proxy.contract import DATA_DIRECTORY


def temporary_directory() -> str:
    """$TMPDIR, or /tmp."""
    return os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - the contract's own default


def socket_path() -> str:
    """The unix socket on which the server answers its clients."""
    path = os.environ.get("KAMAL_PROXY_SOCKET")
    if path:
        return path
    directory = os.environ.get("XDG_RUNTIME_DIR") or temporary_directory()
    return os.path.join(directory, "kamal-proxy.sock")  # noqa: PTH118 - the client starts without pathlib


def data_directory() -> str:
    """Holds the state file and `certs/`; not created here."""
    home = os.environ.get("HOME")
    if not home:
        return temporary_directory()
    return os.path.join(home, DATA_DIRECTORY)  # noqa: PTH118 - as above
