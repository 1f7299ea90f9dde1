"""Looks up the keys of hosts in known_hosts files of OpenSSH, and adds one.

asyncssh parses and matches the lines. Their format is that of sshd(8), section SSH_KNOWN_HOSTS FILE FORMAT.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import asyncssh

DEFAULT_PORT: Final = 22


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of one line of a file."""

    key: asyncssh.SSHKey
    path: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def key_type(self) -> str:
        return self.key.get_algorithm()

    @property
    def blob(self) -> bytes:
        """The key as it is sent on the wire."""
        return self.key.public_data

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.blob)


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """All that is known of one host."""

    keys: tuple[Entry, ...] = ()
    authorities: tuple[Entry, ...] = ()
    revoked: tuple[Entry, ...] = ()
    without_port: tuple[Entry, ...] = ()
    """Keys of the same host at the default port: they are trusted too, but say nothing against another key."""

    def trusts(self, blob: bytes) -> bool:
        return any(entry.blob == blob for entry in (*self.keys, *self.without_port))

    def revokes(self, blob: bytes) -> bool:
        return any(entry.blob == blob for entry in self.revoked)

    @property
    def key_types(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.key_type for entry in (*self.keys, *self.without_port)))


def host_name(host: str, port: int) -> str:
    """The name under which a host's key is kept: `host`, or `[host]:port` for another port than 22."""
    return host.lower() if port == DEFAULT_PORT else f"[{host.lower()}]:{port}"


def fingerprint(blob: bytes) -> str:
    """As OpenSSH shows it: `SHA256:` and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def look_up(paths: Iterable[str], host: str, port: int) -> KnownKeys:
    """Return what the files hold about a host; a missing file holds nothing. Raises `OSError` for an unreadable one."""
    name, plain = host_name(host, port), host.lower()
    keys: list[Entry] = []
    authorities: list[Entry] = []
    revoked: list[Entry] = []
    without_port: list[Entry] = []
    for path, number, line in _lines(paths):
        parsed = _parsed(line)
        if parsed is None:
            continue
        for kept, found in zip((keys, authorities, revoked), parsed.match(name, "", None)[:3], strict=True):
            kept += [Entry(key, path, number) for key in found]
        if name != plain:
            without_port += [Entry(key, path, number) for key in parsed.match(plain, "", None)[0]]
    return KnownKeys(tuple(keys), tuple(authorities), tuple(revoked), tuple(without_port))


def add(path: str, host: str, port: int, key_type: str, blob: bytes) -> None:
    """Append a key, under a lock, unless it is there by now. Host names are hashed where the file has hashed ones."""
    file = Path(path)
    if not file.parent.exists():
        file.parent.mkdir(mode=0o700, parents=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if look_up((path,), host, port).trusts(blob):
            return
        content = stream.read()
        name = host_name(host, port)
        shown = _hashed(name) if content.lstrip().startswith(b"|1|") or b"\n|1|" in content else name
        line = f"{shown} {key_type} {base64.b64encode(blob).decode()}\n"
        stream.write(b"\n" * (bool(content) and not content.endswith(b"\n")) + line.encode())


def negotiable(key_types: Sequence[str]) -> list[str]:
    """The signature algorithms under which hosts with keys of these types can show them."""
    return [name for key_type in key_types for name in _SIGNATURES.get(key_type, (key_type,))]


_SIGNATURES: Final = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


def _lines(paths: Iterable[str]) -> Iterator[tuple[str, int, str]]:
    """The path, number and text of every line of the files that exist."""
    for path in paths:
        try:
            text = Path(path).read_text("utf-8", "replace")
        except FileNotFoundError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            yield path, number, line.strip()


@lru_cache(maxsize=16384)
def _parsed(line: str) -> asyncssh.SSHKnownHosts | None:
    """Parse one line, once for all hosts; None for a line that cannot be read, which OpenSSH passes over as well."""
    words = line.split(None, 2 if line.startswith("@") else 1)
    if len(words) < 2 or line.startswith("#"):
        return None
    if not words[-2].startswith("|"):
        if "/" in words[-2]:  # a network to asyncssh, no host of OpenSSH
            return None
        words[-2] = words[-2].lower()
    try:
        return asyncssh.SSHKnownHosts(" ".join(words))
    except (ValueError, OverflowError):  # the latter for a key whose numbers are negative
        return None


def _hashed(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
