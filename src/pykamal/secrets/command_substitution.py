"""Runs `$(...)` of secrets files: by a shell, except for `kamal secrets ...`, which runs inside this process."""

from __future__ import annotations

import os
import re
import shlex
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pykamal.core.errors import KamalError, UsageError
from pykamal.core.sensitive import encoded
from pykamal.secrets import helpers
from pykamal.secrets.adapters.lent_values import Lease
from pykamal.secrets.dotenv import SubstitutionFailed

if TYPE_CHECKING:
    from pykamal.transport.program import Ended

_OWN: Final = re.compile(r"\s*kamal\s+secrets\s")


def substitute(command: str, leases: list[Lease] | None = None) -> str:
    """Run the command and return its output without the last line break.

    What a secret manager lends meanwhile is added to `leases`.
    Its standard input and error are ours, so that it can ask for a password. Raises `SubstitutionFailed` with the
    output of a command that failed. Errors of `kamal secrets` end the run.
    """
    if _OWN.match(command):
        return _own(command, leases)
    ended = _by_shell(command)
    output = ended.output.decode(errors="surrogateescape").removesuffix("\n").removesuffix("\r")
    if not ended.ok:
        raise SubstitutionFailed(ended.status, output)
    return output


def _by_shell(command: str) -> Ended:
    """Run a command by a shell that reads it from a pipe: values are in it, and all users see a process's arguments."""
    from pykamal.transport.program import run_program

    reading, writing = os.pipe()
    filling = threading.Thread(target=_fill, args=(writing, encoded(f"{command}\n")), daemon=True)
    filling.start()
    try:
        shell = ["sh", f"/dev/fd/{reading}"]
        return run_program(shell, seconds=None, keep_errors=False, pass_descriptors=[reading])
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
