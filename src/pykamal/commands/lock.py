"""Commands for the deploy lock: a directory on the primary host, with its holder's details (spec/cli.md 8.1)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from pykamal.commands.command import Command, command, query
from pykamal.commands.words import Syntax
from pykamal.config.models.service import Config

AUTOMATIC_MESSAGE: Final = "Automatic deploy lock"

LOCK_HELD_STATUS: Final = 75
"""Exit status of `acquire` for a lock that is held (EX_TEMPFAIL of sysexits.h)."""

_BYTES_PER_LINE: Final = 45  # 60 characters of base64, as Ruby's encode64 writes it


@dataclass(frozen=True, slots=True)
class LockDetails:
    """The details of a lock; fields are empty where the text was not written by Kamal or pykamal."""

    holder: str
    at: str
    version: str
    message: str

    @property
    def automatic(self) -> bool:
        """True for a lock that a command took for its own run, so that waiting for it makes sense."""
        return AUTOMATIC_MESSAGE in self.message


def details_text(*, locked_by: str, at: str, version: str, message: str) -> str:
    """Return the text inside the lock. `at` is UTC as `2026-11-22T00:30:57Z`."""
    return f"Locked by: {locked_by} at {at}\nVersion: {version}\nMessage: {message}"


def parse_details(text: str) -> LockDetails:
    """Parse the output of `status`, or of `acquire` for a held lock."""
    match = _DETAILS.match(text.strip())
    return LockDetails(*(match.groups() if match else ("", "", "", text.strip())))


_DETAILS = re.compile(r"Locked by: (.*) at (\S*)\nVersion: (.*)\nMessage: ?([\s\S]*)")


def acquire(config: Config, text: str) -> Command:
    """Take the lock and write `text` into it; `.kamal` must exist.

    Exit status `LOCK_HELD_STATUS`, and the holder's text on standard output, when the lock is there already. Any other
    failure is one of the host's (no permission, disk full) and leaves no lock behind. Told apart by looking at the
    directory, because the words of `mkdir` differ between systems (spec/cli.md 22, quirk 16).
    """
    directory = config.lock_directory
    make = command("mkdir", directory)
    held = _read(config).grouped().redirected("2> /dev/null").then(command("exit", str(LOCK_HELD_STATUS)))
    taken = make.redirected("2> /dev/null").or_(
        command("test", "-d", directory).and_(held.grouped()).then(make).grouped()
    )
    undone = command("rm", "-rf", directory).then(command("exit", "1")).grouped()
    written = command("echo", Syntax(f'"{_base64_lines(text)}"')).to_file(f"{directory}/details").or_(undone)
    return taken.and_(written.grouped()).quietly()


def release(config: Config) -> Command:
    """Release the lock. Fails when there is none."""
    directory = config.lock_directory
    return command("rm", f"{directory}/details").and_(command("rm", "-r", directory)).quietly()


def status(config: Config) -> Command:
    """Print the lock's text. Fails when there is no lock."""
    present = query("stat", config.lock_directory).redirected("> /dev/null")
    return present.and_(_read(config)).quietly()


def _read(config: Config) -> Command:
    return query("cat", f"{config.lock_directory}/details") | query("base64", "-d")


def _base64_lines(text: str) -> str:
    data = text.encode()
    chunks = (data[start : start + _BYTES_PER_LINE] for start in range(0, len(data), _BYTES_PER_LINE))
    return "".join(base64.b64encode(chunk).decode() + "\n" for chunk in chunks)
