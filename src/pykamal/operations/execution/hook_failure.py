"""A hook that failed, as an error that says what to do next (spec/cli.md 9.4)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from pykamal.core.errors import CommandFailed, HookFailed

_NOT_STARTED: Final = (126, 127)


def hook_failure(name: str, path: str, error: CommandFailed) -> HookFailed:
    """`path` is the hook's file; `error` tells how it ended."""
    return HookFailed(
        f"Hook `{name}` failed:\n{error.program} exit status: {error.exit_status}",
        details=error.details,
        hint=_reason_not_started(path, error.exit_status) or f"fix {path}, or skip hooks with --skip-hooks",
    )


def _reason_not_started(path: str, exit_status: int) -> str | None:
    """Return the reason why the file cannot be run, as far as a look at it tells."""
    if exit_status not in _NOT_STARTED:
        return None
    if not os.access(path, os.X_OK):
        return f"make it executable: chmod +x {path}"
    try:
        with Path(path).open("rb") as file:
            first = file.readline().decode(errors="replace")
    except OSError:
        return None
    if not first.startswith("#!"):
        return None
    if first.endswith("\r\n"):
        return f"its lines end as on Windows, which is part of the program's name here: sed -i 's/\\r$//' {path}"
    words = [word for word in first[2:].split() if not word.startswith("-")]
    programs = words[:2] if words and words[0].endswith("/env") else words[:1]
    missing = next((program for program in programs if shutil.which(program) is None), None)
    return f"its first line names a program that is not on this machine: {missing}" if missing else None
