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
from pathlib import Path

from pykamal.proxy.acme.validity import validity

ACCOUNT = "acme_account+key"
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----\n?", re.DOTALL)


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
