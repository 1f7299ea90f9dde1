"""The arguments of this process, which other users of the machine see for as long as it runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pykamal.core.sensitive import encoded

_START_FIELD, _END_FIELD = 48, 49
"""Fields of `/proc/PID/stat` that tell where the kernel finds the arguments (proc(5))."""

_FIRST_BEHIND_NAME: Final = 3


def hide_values(pairs: Mapping[str, str]) -> None:
    """Overwrite the values of arguments of the form `NAME:VALUE`. Does nothing where the system has no `/proc`."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = (int(fields[field - _FIRST_BEHIND_NAME]) for field in (_START_FIELD, _END_FIELD))
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            words = memory.read(end - start).split(b"\0")
            memory.seek(start)
            memory.write(b"\0".join(_hidden(word, pairs) for word in words))


def _hidden(word: bytes, pairs: Mapping[str, str]) -> bytes:
    for name, value in pairs.items():
        if word.endswith(encoded(f"{name}:{value}")):
            length = len(encoded(value))
            return word[: len(word) - length] + b"*" * length
    return word
