"""Versions of the application that were deployed from this machine, the latest first."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from pykamal.core.errors import UnsafeDirectory
from pykamal.core.private_directories import check_private, make_private, user_cache

_KEPT: Final = 20


def remember(service: str, destination: str | None, version: str) -> None:
    """Note a version that was just deployed from here. What cannot be written is not remembered."""
    versions = [version, *(known for known in remembered(service, destination) if known != version)]
    with suppress(OSError, UnsafeDirectory):
        file = _file(service, destination)
        make_private(file.parent)
        new = file.with_name(f"{file.name}.{os.getpid()}")
        new.write_text("".join(f"{each}\n" for each in versions[:_KEPT]))
        new.replace(file)


def remembered(service: str, destination: str | None) -> list[str]:
    """The latest first."""
    try:
        file = _file(service, destination)
        check_private(file.parent)
        return file.read_text(errors="replace").split()
    except (OSError, UnsafeDirectory):
        return []


def _file(service: str, destination: str | None) -> Path:
    name = "-".join(filter(None, [service, destination]))
    return user_cache("versions", name.replace("/", "_"))
