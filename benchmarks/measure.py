"""Running a command from start to end and what it cost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

CHILD_USAGE = Path(__file__).parent / "child_usage.py"


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall time in seconds; `peak` is the resident memory in MiB of the process or any child it waited for."""

    seconds: float
    peak: float


class CommandFailed(Exception):
    """A measured command failed, which makes its figures worthless."""


def run(argv: Sequence[str], *, directory: Path, environment: Mapping[str, str]) -> Cost:
    """Run once, output to a file that is shown on failure."""
    log, report = directory / ".benchmark.log", directory / ".benchmark.cost"
    measured = [sys.executable, "-IS", str(CHILD_USAGE), str(report), str(log), *argv]
    done = subprocess.run(measured, cwd=directory, env=environment, check=False)
    if done.returncode:
        raise CommandFailed(f"{' '.join(argv)} exited {done.returncode}:\n{log.read_text(errors='replace')}")
    seconds, kibibytes = report.read_text().split()
    return Cost(float(seconds), int(kibibytes) / 1024)


def medians(costs: Sequence[Cost]) -> Cost:
    return Cost(median(cost.seconds for cost in costs), median(cost.peak for cost in costs))
