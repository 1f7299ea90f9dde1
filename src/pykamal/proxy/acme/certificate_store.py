"""Issued certificates and the account's key on disk, in the layout that the reference proxy reads (spec/proxy.md 7.3).

`<cache path>/<sha256 of the directory's address>/` holds `<host>`, `<host>+rsa` and `acme_account+key`: the private
key, then the chain, in PEM. The production directory of Let's Encrypt counts as the empty address.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ACCOUNT = "acme_account+key"
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----\n?", re.DOTALL)

_SEQUENCE, _VERSION = 0x30, 0xA0
_FORMATS = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
_LONG_LENGTH = 0x80


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """PEM texts; `not_before` and `not_after` in seconds since the epoch."""

    chain: str
    key: str
    not_before: float
    not_after: float

    @classmethod
    def parse(cls, *, key: str, chain: str) -> IssuedCertificate:
        """Raises ValueError when the chain is none."""
        return cls(chain, key, *validity(chain))


class CertificateStore:
    """One directory's part of a cache path. `directory` is the authority's address, empty for production."""

    def __init__(self, cache_path: str, directory: str) -> None:
        self.path = Path(cache_path, hashlib.sha256(directory.encode()).hexdigest())

    def read(self, name: str) -> IssuedCertificate | None:
        """The certificate called `name`, None when there is none that can be used (a broken file counts as none)."""
        path = self.path / name
        try:
            text = path.read_text()
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password="")
            blocks = {kind: "".join(found) for kind, found in _blocks(text).items()}
            key = next(block for kind, block in blocks.items() if kind.endswith("PRIVATE KEY"))
            return IssuedCertificate.parse(key=key, chain=blocks["CERTIFICATE"])
        except (OSError, ValueError, LookupError, StopIteration):
            return None

    def write(self, name: str, certificate: IssuedCertificate) -> None:
        """Replaces the certificate called `name`. Raises OSError."""
        self._replace(name, certificate.key + certificate.chain)

    def account_key(self) -> str:
        """The account's private key in PEM, empty when there is no account yet."""
        try:
            return (self.path / ACCOUNT).read_text()
        except (OSError, ValueError):
            return ""

    def write_account_key(self, key: str) -> None:
        """Raises OSError."""
        self._replace(ACCOUNT, key)

    def _replace(self, name: str, text: str) -> None:
        for directory in (self.path.parent, self.path):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self.path)  # has mode 0600
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path / name)
        except OSError:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise


def _blocks(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for block in _BLOCK.finditer(text):
        found.setdefault(block[1], []).append(block[0].rstrip("\n") + "\n")
    return found


def validity(pem: str) -> tuple[float, float]:
    """The beginning and the end of the first certificate in `pem`, in seconds since the epoch. Raises ValueError."""
    try:
        data = ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END CERTIFICATE-----") + 25].strip())
        _, start, _ = _element(data, 0, _SEQUENCE)
        _, position, _ = _element(data, start, _SEQUENCE)
        tag, _, end = _element(data, position)
        if tag == _VERSION:
            position = end
        for _field in ("serial number", "signature algorithm", "issuer"):
            _, _, position = _element(data, position)
        _, position, _ = _element(data, position, _SEQUENCE)
        tag, start, end = _element(data, position)
        next_tag, next_start, next_end = _element(data, end)
        return _moment(tag, data[start:end]), _moment(next_tag, data[next_start:next_end])
    except (IndexError, KeyError) as problem:
        raise ValueError("not a certificate") from problem


def _element(data: bytes, position: int, expected: int | None = None) -> tuple[int, int, int]:
    """Tag, beginning and end of the content of the DER element at `position`."""
    tag, length = data[position], data[position + 1]
    if expected is not None and tag != expected:
        raise ValueError("not a certificate")
    start = position + 2
    if length & _LONG_LENGTH:
        size = length & ~_LONG_LENGTH
        length = int.from_bytes(data[start : start + size])
        start += size
    return tag, start, start + length


def _moment(tag: int, content: bytes) -> float:
    return datetime.strptime(content.decode("ascii"), _FORMATS[tag]).replace(tzinfo=UTC).timestamp()
