"""A server for the real `bw`, as far as logging in and reading items need one. The program decrypts what it gets.

It knows one user. Keys and values are encrypted as Bitwarden's security white paper describes: PBKDF2 and HKDF from the
master password, AES-256-CBC with HMAC-SHA256 for texts, an RSA key pair of the user.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import ssl
import subprocess
import time
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.managers.served import Served

EMAIL: Final = "ci@example.test"
PASSWORD: Final = "correct horse hush"
_ITERATIONS: Final = 600_000
_NOW: Final = "2026-11-29T00:00:00.000Z"
_USER: Final = "11111111-1111-1111-1111-111111111111"


class BitwardenServer(Served):
    """The server on loopback, with the certificate in `ca`. `hold` says what the vault of the user has."""

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "certificate.pem"
        key = folder / "key.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
                *("-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", self.ca),
            ],
            check=True,
            capture_output=True,
        )
        self.account = _Account()
        self.ciphers: list[dict[str, Any]] = []
        self.status: int | None = None
        server = self

        class Handler(_Handler):
            owner = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"https://localhost:{self._server.server_address[1]}"

    def hold(self, name: str, password: str | None = None, fields: Mapping[str, str] = {}) -> None:
        """Put an item into the vault."""
        self.ciphers.append(self.account.item(name, password, fields))


class _Account:
    """The keys of the user, and what is encrypted with them."""

    def __init__(self) -> None:
        master = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), EMAIL.encode(), _ITERATIONS, 32)
        self.password_hash = _base64(hashlib.pbkdf2_hmac("sha256", master, PASSWORD.encode(), 1, 32))
        self._key = os.urandom(64)
        stretched = b"".join(hmac.digest(master, info + b"\x01", "sha256") for info in (b"enc", b"mac"))
        self.wrapped_key = _encrypted(self._key, stretched)
        pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = pair.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = pair.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.wrapped_private_key = _encrypted(private, self._key)
        self.public_key = _base64(public)

    def item(self, name: str, password: str | None, fields: Mapping[str, str]) -> dict[str, Any]:
        def text(plain: str | None) -> str | None:
            return None if plain is None else _encrypted(plain.encode(), self._key)

        nothing = ("organizationId", "folderId", "notes", "passwordHistory", "attachments", "deletedDate", "key")
        return {
            **dict.fromkeys(nothing),
            "object": "cipherDetails",
            "id": str(uuid.uuid4()),
            "type": 1,
            "name": text(name),
            "favorite": False,
            "edit": True,
            "viewPassword": True,
            "permissions": {"delete": True, "restore": True},
            "organizationUseTotp": False,
            "login": {"username": None, "password": text(password), "uris": None, "totp": None},
            "fields": [{"type": 1, "name": text(each), "value": text(value)} for each, value in fields.items()],
            "collectionIds": [],
            "creationDate": _NOW,
            "revisionDate": _NOW,
            "reprompt": 0,
        }

    def keys(self) -> dict[str, Any]:
        pair = {"publicKey": self.public_key, "wrappedPrivateKey": self.wrapped_private_key, "signedPublicKey": None}
        return {"object": "privateKeys", "publicKeyEncryptionKeyPair": pair, "signatureKeyPair": None}

    def unlocking(self) -> dict[str, Any]:
        derivation = {"kdfType": 0, "iterations": _ITERATIONS, "memory": None, "parallelism": None}
        wrapped = {"masterKeyEncryptedUserKey": self.wrapped_key, "masterKeyWrappedUserKey": self.wrapped_key}
        return {"masterPasswordUnlock": {"kdf": derivation, "salt": EMAIL, **wrapped}}

    def login(self) -> dict[str, Any]:
        unlocking = {
            "Kdf": {"KdfType": 0, "Iterations": _ITERATIONS, "Memory": None, "Parallelism": None},
            "MasterKeyEncryptedUserKey": self.wrapped_key,
            "MasterKeyWrappedUserKey": self.wrapped_key,
            "Salt": EMAIL,
        }
        return {
            "access_token": _token(),
            "expires_in": 7200,
            "token_type": "Bearer",
            "refresh_token": "refresh",
            "scope": "api offline_access",
            "Key": self.wrapped_key,
            "PrivateKey": self.wrapped_private_key,
            "ForcePasswordReset": False,
            "ResetMasterPassword": False,
            "UserDecryptionOptions": {"HasMasterPassword": True, "MasterPasswordUnlock": unlocking},
            "AccountKeys": self.keys(),
            **_KDF,
        }

    def profile(self) -> dict[str, Any]:
        return {
            "object": "profile",
            "id": _USER,
            "name": "CI",
            "email": EMAIL,
            "emailVerified": True,
            "premium": False,
            "premiumFromOrganization": False,
            "culture": "en-US",
            "twoFactorEnabled": False,
            "key": self.wrapped_key,
            "privateKey": self.wrapped_private_key,
            "securityStamp": "stamp",
            "forcePasswordReset": False,
            "usesKeyConnector": False,
            "organizations": [],
            "providers": [],
            "providerOrganizations": [],
            "creationDate": _NOW,
            "accountKeys": self.keys(),
        }


_KDF: Final = {
    name: value
    for capital in ("Kdf", "kdf")
    for name, value in (
        (capital, 0),
        (f"{capital}Iterations", _ITERATIONS),
        (f"{capital}Memory", None),
        (f"{capital}Parallelism", None),
    )
}


class _Handler(BaseHTTPRequestHandler):
    owner: BitwardenServer

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = self.path.partition("?")[0]
        if path.endswith(("/prelogin", "/prelogin/password")):
            self._answer(200, {**_KDF, "kdfSettings": {"kdfType": 0, "iterations": _ITERATIONS}, "salt": EMAIL})
        elif path == "/identity/connect/token":
            self._log_in(parse_qs(content))
        elif path.startswith("/api/accounts/key-management/"):
            self._answer(200, {})
        else:
            self._answer(404, {"message": "not found"})

    def do_PUT(self) -> None:
        self.do_POST()

    def _log_in(self, form: Mapping[str, list[str]]) -> None:
        if form["grant_type"] == ["password"] and form["password"] != [self.owner.account.password_hash]:
            model = {"Message": "Username or password is incorrect. Try again.", "Object": "error"}
            refused = {"error": "invalid_grant", "error_description": "invalid_username_or_password"}
            self._answer(400, {**refused, "ErrorModel": model})
        else:
            self._answer(200, self.owner.account.login())

    def do_GET(self) -> None:
        path, account = self.path.partition("?")[0], self.owner.account
        if self.owner.status is not None:
            self._answer(self.owner.status, {"message": "slow down"})
        elif path == "/api/config":
            parts = {name: f"{self.owner.address}/{name}" for name in ("api", "identity", "notifications")}
            environment = {**parts, "vault": self.owner.address, "sso": "", "cloudRegion": None}
            settings = {"featureStates": {}, "push": None, "settings": {"disableUserRegistration": True}}
            version = {"object": "config", "version": "2026.6.0", "gitHash": "x", "server": None}
            self._answer(200, {**version, "environment": environment, **settings})
        elif path == "/api/accounts/revision-date":
            self._answer(200, int(time.time() * 1000))
        elif path == "/api/accounts/profile":
            self._answer(200, account.profile())
        elif path == "/api/sync":
            nothing: dict[str, list[Any]] = {name: [] for name in ("folders", "collections", "policies", "sends")}
            vault = {"ciphers": self.owner.ciphers, "domains": None, **nothing}
            self._answer(
                200,
                {"object": "sync", "profile": account.profile(), **vault, "userDecryption": account.unlocking()},
            )
        else:
            self._answer(404, {"message": "not found"})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _encrypted(plain: bytes, key: bytes) -> str:
    """Encrypt as type 2 of Bitwarden's encrypted strings: AES-256-CBC, then HMAC-SHA256 over both."""
    padder, vector = padding.PKCS7(128).padder(), os.urandom(16)
    encryptor = Cipher(algorithms.AES(key[:32]), modes.CBC(vector)).encryptor()
    content = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return f"2.{_base64(vector)}|{_base64(content)}|{_base64(hmac.digest(key[32:], vector + content, 'sha256'))}"


def _token() -> str:
    """Make a token of which the program reads the claims; nobody checks the signature."""
    now = int(time.time())
    claims = {"nbf": now, "exp": now + 7200, "iss": "test", "sub": _USER, "email": EMAIL, "name": "CI"}
    more = {"premium": False, "email_verified": True, "sstamp": "s", "device": "d", "amr": ["Application"]}
    parts = ({"alg": "RS256", "typ": "JWT"}, {**claims, **more, "scope": ["api", "offline_access"]})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*texts, "c2ln"])
