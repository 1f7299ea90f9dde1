"""Ends nginx workers that hang: connections that they hold, and those that they are given, would wait for ever."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from pykamal.proxy.dataplane import DataPlane
from pykamal.proxy.json_log import log

LOOK_S = 1.0
LOOKS = 10
"""So many looks in a row without a heartbeat. Where everything stood still, as in a paused container, so did this."""

_STOPPED_OR_BUSY = "TtR"
"""States in which another worker in its place helps. One that waits for its log or its disk is left alone."""


async def end_hanging_workers(data_plane: DataPlane) -> None:
    """Never returns."""
    seen: dict[int, int] = {}
    silent: dict[int, int] = {}
    while True:
        await asyncio.sleep(LOOK_S)
        beats = await data_plane.heartbeats()
        silent = {pid: silent.get(pid, 0) + 1 for pid, count in beats.items() if seen.get(pid) == count}
        seen = beats
        for pid, looks in silent.items():
            if looks >= LOOKS and _state(pid) in _STOPPED_OR_BUSY:
                log("ERROR", "Worker hangs; another one takes its place", pid=pid)
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


def _state(pid: int) -> str:
    """The one letter that the kernel has for it; a space for what is no nginx."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition(" (")[2].rpartition(") ")
    except OSError:
        return " "
    return rest[:1] if name == "nginx" else " "
