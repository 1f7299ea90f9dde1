"""Runs a command and writes its time and peak memory: `python -IS child_usage.py REPORT LOG COMMAND...`.

A process of its own, because Linux counts the memory of the process that forks as the child's own until it executes
its program: measured from a parent of 100 MB, every small program would have a peak of 100 MB.
"""

import os
import sys
import time


def main(report: str, log: str, argv: list[str]) -> int:
    """Run the command, output to `log`. Return its exit code; `report` gets seconds and KiB."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    started = time.perf_counter()
    _, status, usage = os.wait4(os.posix_spawnp(argv[0], argv, os.environ, file_actions=files), 0)
    seconds = time.perf_counter() - started
    with open(report, "w") as file:  # noqa: PTH123 - pathlib would add to the memory that is measured
        file.write(f"{seconds} {usage.ru_maxrss}")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
