"""Programs that keep secrets in files, and keys for them: SOPS, age, GnuPG, Ansible Vault."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive

BIN: Final = Path(__file__).parents[2] / ".cache" / "managers" / "bin"
"""The programs that come as Python packages."""

HIDDEN: Final = "hush-4c1d"

ODD: Final[Mapping[str, str]] = {
    "lines": "line\nquote\"' `id` ü\n",
    "dollars": "$HOME $(id) pa$$word",
    "empty": "",
    "nul": "a\0b",
    "long": "x" * (1 << 20),
    **{f"n{number}": f"v{number}" for number in range(200)},
}
"""Values that a document can hold."""

BYTES: Final = b"\xff\xfe\0binary"


def run(*words: str | Path, stdin: bytes = b"", **environment: str) -> bytes:
    """Run a program that prepares a test, and return its output."""
    done = subprocess.run(
        [str(word) for word in words],
        input=stdin,
        capture_output=True,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def revealed(found: Mapping[str, Sensitive | None]) -> dict[str, str | None]:
    return {name: None if value is None else value.reveal() for name, value in found.items()}


def told(error: KamalError) -> str:
    """Everything that a person or a log could see of an error."""
    return "\n".join((error.message, *error.details, error.hint or "", str(error.__context__ or "")))


@dataclass(frozen=True)
class AgeKey:
    """An identity in a file, and its public key."""

    file: Path
    recipient: str

    @classmethod
    def make(cls, file: Path) -> AgeKey:
        run("age-keygen", "-o", file)
        return cls(file, run("age-keygen", "-y", file).decode().strip())

    @property
    def text(self) -> str:
        return self.file.read_text()


class Gpg:
    """A GnuPG home with one key. With a passphrase, its agent has nobody to ask for it."""

    USER: Final = "shop@example.com"

    def __init__(self, passphrase: str = "") -> None:
        self.home = Path(tempfile.mkdtemp(prefix="gpg-"))  # a short path: the agent's socket is in it
        (self.home / "gpg-agent.conf").write_text("pinentry-program /bin/false\n")
        words = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", passphrase]
        run(*words, "--quick-generate-key", self.USER, "future-default", "default", "never", GNUPGHOME=str(self.home))
        self._end_agent()

    def close(self) -> None:
        self._end_agent()
        shutil.rmtree(self.home)

    def _end_agent(self) -> None:
        run("gpgconf", "--kill", "gpg-agent", GNUPGHOME=str(self.home))
