"""JSON log lines on standard output, next to the access log (spec/proxy.md 19)."""

from __future__ import annotations

import contextlib
import json
import os
import time

from pykamal.proxy.contract import LONGEST_LOG_LINE

_threshold = ["INFO"]
_LONGEST_VALUES = (100_000, 2048, 1024, 512, 256, 128, 64)
_RANK = {"DEBUG": 0, "INFO": 1, "WARN": 2, "ERROR": 3}


def show_debug() -> None:
    """Lets DEBUG lines through in this process."""
    _threshold[0] = "DEBUG"


def log(level: str, message: str, **attributes: object) -> None:
    """Writes one line: `time`, `level`, `msg`, then the attributes in the order given."""
    if _RANK[level] < _RANK[_threshold[0]]:
        return
    nanoseconds = time.time_ns()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
    record = {"time": f"{moment}.{nanoseconds % 1_000_000_000:09d}Z", "level": level, "msg": message}
    for longest in _LONGEST_VALUES:
        shortened = {name: _shortened(value, longest) for name, value in attributes.items()}
        line = json.dumps(record | shortened, ensure_ascii=False, default=str).encode(errors="replace")
        if len(line) < LONGEST_LOG_LINE:
            break
    with contextlib.suppress(OSError):  # a full disk behind the log must not keep anybody from work
        os.write(1, line + b"\n")


def _shortened(value: object, longest: int) -> object:
    """Texts of no more characters, and lists of no more items than make so many lines of text."""
    if isinstance(value, str) and len(value) > longest:
        return value[:longest] + "…"
    if isinstance(value, list | tuple):
        items = [_shortened(item, longest) for item in value[: max(longest // 64, 1)]]
        return [*items, "…"] if len(value) > len(items) else items
    return value
