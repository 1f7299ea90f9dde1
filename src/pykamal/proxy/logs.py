"""JSON log lines on standard output, next to the access log (spec/proxy.md 19)."""

from __future__ import annotations

import contextlib
import json
import os
import time

_threshold = ["INFO"]
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
    line = json.dumps(record | attributes, ensure_ascii=False, default=str)
    with contextlib.suppress(OSError):  # a full disk behind the log must not keep anybody from work
        os.write(1, line.encode(errors="replace") + b"\n")
