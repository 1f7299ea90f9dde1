"""Running a command from start to end and what it cost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall time in seconds; `peak` is the resident memory in MiB of the process or any child it waited for."""

    seconds: float
    peak: float


class CommandFailed(Exception):
    """A measured command failed, which makes its figures worthless."""


def run(argv: Sequence[str], *, directory: Path, environment: Mapping[str, str]) -> Cost:
    """Run once, output to a file that is shown on failure."""
    log = directory / ".benchmark.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CommandFailed(f"{' '.join(argv)} exited {process.returncode}:\n{log.read_text(errors='replace')}")
    return Cost(seconds, usage.ru_maxrss / 1024)


def medians(costs: Sequence[Cost]) -> Cost:
    return Cost(median(cost.seconds for cost in costs), median(cost.peak for cost in costs))
