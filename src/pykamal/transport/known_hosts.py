"""The known_hosts files of OpenSSH: which keys a host may show, and adding one.

The format is that of sshd(8), section SSH_KNOWN_HOSTS FILE FORMAT.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import fnmatch
import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_PORT: Final = 22


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `marker` is empty, `@revoked` or `@cert-authority`; `blob` the key as it is sent on the wire."""

    patterns: str
    key_type: str
    blob: bytes
    marker: str = ""
    path: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.blob)

    def matches(self, name: str) -> bool:
        """Whether the line is about `name`, which is a lower-case host or `[host]:port`."""
        if self.patterns.startswith("|"):
            return _hash_matches(self.patterns, name)
        found = False
        for pattern in self.patterns.lower().split(","):
            negated = pattern.startswith("!")
            if _glob_matches(pattern.removeprefix("!"), name):
                if negated:
                    return False
                found = True
        return found


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
    """What the files say of a host; files that do not exist say nothing. Raises `OSError` for unreadable ones."""
    entries = [entry for path in paths for entry in read(path)]
    name = host_name(host, port)
    mine = [entry for entry in entries if entry.matches(name)]
    plain = host.lower()
    others = [entry for entry in entries if name != plain and not entry.marker and entry.matches(plain)]
    return KnownKeys(
        keys=tuple(entry for entry in mine if not entry.marker),
        authorities=tuple(entry for entry in mine if entry.marker == "@cert-authority"),
        revoked=tuple(entry for entry in mine if entry.marker == "@revoked"),
        without_port=tuple(others),
    )


def read(path: str) -> Iterator[Entry]:
    """The entries of a file; lines that nobody can read are passed over, as OpenSSH does."""
    try:
        text = Path(path).read_text("utf-8", "replace")
    except FileNotFoundError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        entry = _parse(line, path, number)
        if entry is not None:
            yield entry


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


def _parse(line: str, path: str, number: int) -> Entry | None:
    words = line.split()
    if not words or words[0].startswith("#"):
        return None
    marker = words.pop(0) if words[0].startswith("@") else ""
    if len(words) < 3:
        return None
    try:
        blob = base64.b64decode(words[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return Entry(words[0], words[1], blob, marker, path, number)


def _glob_matches(pattern: str, name: str) -> bool:
    # `[` is the form of a port here and no character class.
    return pattern == name or fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _hash_matches(patterns: str, name: str) -> bool:
    try:
        _, version, salt, digest = patterns.split("|")
        wanted = base64.b64decode(digest)
        actual = hmac.digest(base64.b64decode(salt), name.encode(), "sha1")
    except (binascii.Error, ValueError):
        return False
    return version == "1" and hmac.compare_digest(wanted, actual)


def _hashed(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
