"""Commits of the work tree, which may be versions of the application."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from typing import Final

from pykamal.commands import git

_SHOWN: Final = 20


def commits() -> Iterator[tuple[str, str]]:
    """The latest commits of the work tree: hash, age and subject. Nothing outside of one."""
    arguments = git.latest_commits(_SHOWN).arguments()
    assert arguments is not None, "one program"
    left = signal.getitimer(signal.ITIMER_REAL)[0]
    try:
        asked = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, left),  # the deadline of the answer is its own too
        )
    except OSError:
        return
    for line in asked.stdout.decode(errors="replace").splitlines():
        version, _, about = line.partition("\t")
        yield version, about
