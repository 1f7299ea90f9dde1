"""The deadline of an answer to TAB. This module imports next to nothing, so that it runs from the very beginning."""

from __future__ import annotations

import os
import signal
from typing import Final

DEADLINE_SECONDS: Final = 0.25
"""Behind TAB, 0.3 seconds with the start of the interpreter; `KAMAL_COMPLETION_SECONDS` is for slow machines."""


def start_deadline() -> None:
    """End this process at the deadline, whatever it is doing then. What it has written by then is the answer."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a handler of ours would wait for the end of a long search
    signal.setitimer(signal.ITIMER_REAL, _seconds())


def _seconds() -> float:
    try:
        return min(max(float(os.environ["KAMAL_COMPLETION_SECONDS"]), 0.001), 999)
    except (KeyError, ValueError):
        return DEADLINE_SECONDS
