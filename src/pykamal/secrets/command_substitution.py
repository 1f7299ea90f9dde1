"""Runs `$(...)` of secrets files: by a shell, except for `kamal secrets ...`, which runs inside this process."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
from contextlib import suppress
from typing import Final

from pykamal.core.errors import KamalError, UsageError
from pykamal.core.sensitive import encoded
from pykamal.secrets import helpers
from pykamal.secrets.adapters.lent_values import Lease
from pykamal.secrets.dotenv import SubstitutionFailed

_OWN: Final = re.compile(r"\s*kamal\s+secrets\s")


def substitute(command: str, leases: list[Lease] | None = None) -> str:
    """Run the command and return its output without the last line break.

    What a secret manager lends meanwhile is added to `leases`.
    Its standard input and error are ours, so that it can ask for a password. Raises `SubstitutionFailed` with the
    output of a command that failed. Errors of `kamal secrets` end the run.
    """
    if _OWN.match(command):
        return _own(command, leases)
    done = _by_shell(command)
    output = done.stdout.decode(errors="surrogateescape").removesuffix("\n").removesuffix("\r")
    if done.returncode != 0:
        raise SubstitutionFailed(done.returncode, output)
    return output


def _by_shell(command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command by a shell that reads it from a pipe: values are in it, and all users see a process's arguments."""
    reading, writing = os.pipe()
    filling = threading.Thread(target=_fill, args=(writing, encoded(f"{command}\n")), daemon=True)
    filling.start()
    try:
        return subprocess.run(["sh", f"/dev/fd/{reading}"], stdout=subprocess.PIPE, check=False, pass_fds=[reading])
    finally:
        os.close(reading)
        filling.join()


def _fill(pipe: int, text: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(pipe, "wb", buffering=0) as writing:
        while text:
            text = text[writing.write(text) :]


def _own(command: str, leases: list[Lease] | None) -> str:
    words = command.split()
    try:
        name, *arguments = shlex.split(command)[2:] or [""]
    except ValueError as error:
        raise KamalError(f"Cannot read `{' '.join(words[:3])}`: {error}", hint="check its quotes") from error
    try:
        return helpers.run(name, arguments, leases)
    except UsageError as error:  # of a line in a file, not of the command line
        raise KamalError(error.message, hint=error.hint) from error
