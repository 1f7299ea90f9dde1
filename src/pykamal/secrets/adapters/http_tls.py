"""TLS to secret managers: the authorities that are trusted, a certificate of ours, the name that the server's has."""

from __future__ import annotations

import errno
import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path

from pykamal.core.errors import KamalError


class ManagerUnreachable(KamalError):
    """The manager could not be asked: no connection, no trusted certificate, no whole answer, no answer in time."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """The authorities to trust: a file in PEM, or a folder of such files; None for the system's.

    `variable` is the setting that holds it, for hints.
    """

    place: str | None
    variable: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate of ours and its key, and the setting that holds them. Both may be in the first."""

    file: str | None
    key: str | None
    variable: str


class TlsConnection(http.client.HTTPSConnection):
    """A connection to a server whose certificate may have another name than its address."""

    def __init__(self, host: str, port: int, seconds: float, context: ssl.SSLContext, server_name: str | None) -> None:
        super().__init__(host, port, timeout=seconds, context=context)
        self._tls = context
        self._server_name = server_name

    def connect(self) -> None:
        if self._server_name is None:
            super().connect()
            return
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)


def tls_context(manager: str, authorities: Authorities, certificate: Certificate) -> ssl.SSLContext:
    """Return the context of all connections to a manager. Raises `ManagerUnreachable` for files that cannot be used."""
    try:
        context = _trusting(authorities.place)
    except OSError as error:
        raise ManagerUnreachable(
            f"{manager}: the certificates in {authorities.place} cannot be read: {error.strerror or error}",
            hint=f"correct {authorities.variable}: a file of certificates in PEM format, or a folder of such files",
        ) from None
    if certificate.file:
        _load(context, manager, certificate.file, certificate)
    return context


def _trusting(place: str | None) -> ssl.SSLContext:
    if place is None or not Path(place).is_dir():
        return ssl.create_default_context(cafile=place)
    # As Vault reads it: every file counts, whatever its name, where OpenSSL looks for names made of hashes.
    files = [each for each in sorted(Path(place).iterdir()) if each.is_file()]
    if not files:
        raise FileNotFoundError(errno.ENOENT, "there is no file in it")
    return ssl.create_default_context(cadata="\n".join(each.read_text("ascii", "ignore") for each in files))


def _load(context: ssl.SSLContext, manager: str, file: str, certificate: Certificate) -> None:
    try:
        context.load_cert_chain(file, certificate.key, password="")  # so that nothing asks for one
    except OSError as error:
        raise ManagerUnreachable(
            f"{manager}: the certificate in {file} cannot be used with its key: "
            f"{getattr(error, 'reason', None) or error.strerror or error}",
            hint=f"correct {certificate.variable}: a certificate and its key, in PEM, without a passphrase",
        ) from None
