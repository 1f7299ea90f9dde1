"""Servers of tests under the names of the real ones: a proxy on loopback whose tunnels end in the tests' servers.

Adapters and vendors' clients talk to `https://shop.vault.azure.net` or `https://oauth2.googleapis.com` as they do
outside of tests: they only have the proxy and its certificate authority in their environment.
"""

from __future__ import annotations

import json
import os
import socketserver
import ssl
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.managers.served import Served

VENDORS = Path(__file__).parents[2] / ".cache/managers/bin/python"
"""The interpreter that has the vendors' own clients."""


@dataclass(frozen=True)
class Asked:
    """A request, with the name of the server that it was for."""

    host: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def bearer(self) -> str | None:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None


@dataclass(frozen=True)
class Reply:
    """An answer; what is not bytes goes out as JSON. An answer that is cut off ends in the middle of its body."""

    status: int
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_off: bool = False

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Service = Callable[[Asked], Reply]


class Internet(Served):
    """The proxy, and the servers behind it by pattern of their names. It is 127.0.0.1 itself for direct requests."""

    def __init__(self, folder: Path, *names: str) -> None:
        self._authority = folder / "authority.pem"
        self._services: dict[str, Service] = {}
        self.asked: list[Asked] = []
        self._server = _Server(self, _certificate(folder, self._authority, names))
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead there, for adapters and for vendors' clients."""
        authority = str(self._authority)
        return {"HTTPS_PROXY": self.address, "SSL_CERT_FILE": authority, "REQUESTS_CA_BUNDLE": authority}

    def serve(self, pattern: str, service: Service) -> None:
        self._services[pattern] = service

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        found = (service for pattern, service in self._services.items() if fnmatch(asked.host, pattern))
        service = next(found, None)
        return service(asked) if service is not None else Reply(502, b"no such server")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, internet: Internet, context: ssl.SSLContext) -> None:
        self.internet = internet
        self.context = context
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is none of the test's concern."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    host = "127.0.0.1"

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = False  # which a client that speaks HTTP/1.0 to proxies does not expect
        self.host = self.path.partition(":")[0]
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = socketserver._SocketWriter(self.connection)  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        reply = self.server.internet.answer(Asked(self.host, self.command, url.path, query, headers, body))
        self.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content[: len(reply.content) // 2] if reply.cut_off else reply.content)
        self.close_connection = self.close_connection or reply.cut_off

    do_POST = do_GET  # noqa: N815 - a name of http.server

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, *_: object) -> None:
        pass


def _certificate(folder: Path, authority: Path, names: tuple[str, ...]) -> ssl.SSLContext:
    """Write the certificate of an authority, and return a server's side with a certificate for the names by it."""
    own_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Servers of the tests")])

    def signed(subject: x509.Name, public: Any, extension: x509.ExtensionType, *, ca: bool) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(extension, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own_key.public_key()), critical=False)
        )
        return builder.sign(own_key, hashes.SHA256()).public_bytes(Encoding.PEM)

    identifier = x509.SubjectKeyIdentifier.from_public_key(own_key.public_key())
    authority.write_bytes(signed(issuer, own_key.public_key(), identifier, ca=True))
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    chain = folder / "servers.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(secret + signed(subject, key.public_key(), alternatives, ca=False))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


def vendors_client(program: str, *arguments: str, environment: Mapping[str, str]) -> Any:
    """Run a program with a vendor's own client, and return the JSON that it prints."""
    if not VENDORS.exists():
        pytest.fail("make setup installs the vendors' clients")
    done = subprocess.run(
        [VENDORS, "-c", program, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
