"""Starts, recognises and ends the sandbox's processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pykamal.core.errors import SandboxError

Item = TypeVar("Item")
Result = TypeVar("Result")


def run(argv: Sequence[str], *, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program and return its standard output. Raises SandboxError with its standard error when it fails."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            env=environment() if env is None else dict(env),
        )
    except FileNotFoundError as error:
        raise missing_program(argv[0]) from error
    if done.returncode != 0:
        raise SandboxError(
            f"{argv[0]} ended with status {done.returncode}",
            details=(f"command: {' '.join(argv)}", f"stderr: {done.stderr.strip() or 'Nothing written'}"),
        )
    return done.stdout


def environment() -> dict[str, str]:
    """Return the caller's environment with `sbin` folders in PATH, which not every login has."""
    path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return {**os.environ, "PATH": f"{path}:/usr/local/sbin:/usr/sbin:/sbin"}


def missing_program(program: str) -> SandboxError:
    return SandboxError(
        f"The sandbox needs the program {program}, which is not installed",
        hint="Run scripts/setup, which installs what the sandbox needs.",
    )


def spawn(argv: Sequence[str], *, log: Path) -> int:
    """Start a process that outlives this one and return its pid. Its output is appended to `log`."""
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(),
            )
        except FileNotFoundError as error:
            raise missing_program(argv[0]) from error
    process.returncode = 0  # it is meant to live on: no ResourceWarning for a child that is still running
    return process.pid


def at_once(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Call a function for all items at the same time and return the results in order. Raises the first error."""
    with ThreadPoolExecutor(max(1, len(items))) as pool:
        return list(pool.map(function, items))


def start_time_ticks(pid: int) -> int | None:
    """Return the start time of a process in clock ticks since boot; None when it is gone or a zombie.

    With the pid this names a process for good: pids are used again, a pair of both is not.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def end(processes: Mapping[int, int], *, timeout_seconds: float = 10.0) -> None:
    """Kill processes, given as pid to start time; a pid that another process has taken is left alone.

    Raises SandboxError when one cannot be ended.
    """
    left = {pid for pid, ticks in processes.items() if start_time_ticks(pid) == ticks}
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + timeout_seconds
    while left:
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # a child of this very process stays a zombie until then
        left = {pid for pid in left if start_time_ticks(pid) == processes[pid]}
        if left and time.monotonic() > deadline:
            raise SandboxError(f"These processes cannot be ended: {sorted(left)}")
        time.sleep(0.002)
