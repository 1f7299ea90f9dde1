"""Real shells for tests of command lines."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pykamal.commands.command import Command

SHELLS = ("dash", "bash")


def run(
    command: Command | str,
    *,
    directory: Path | None = None,
    shell: str = "dash",
    stdin: bytes = b"",
) -> subprocess.CompletedProcess[bytes]:
    """Run a line in a real shell."""
    line = command if isinstance(command, str) else command.shell_text()
    return subprocess.run([shell, "-c", line], cwd=directory, input=stdin, capture_output=True, check=False)


def arguments(words: str, *, shell: str = "dash", before: str = "") -> list[str]:
    """The arguments that a program gets when a shell reads `words`; `before` is read first."""
    # On standard input, because the kernel limits the length of a single argument.
    script = f"{before}printf '%s\\0' {words}\n".encode()
    result = subprocess.run([shell, "-s"], input=script, capture_output=True, check=True)
    return result.stdout.decode().split("\0")[:-1]
