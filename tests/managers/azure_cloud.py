"""Microsoft Entra and Azure Key Vault, as far as reading secrets goes, by their documented REST contracts.

There is no emulator of either. `test_azure.py` proves them by the vendor's own client, which reads the same secrets.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.managers.internet import Asked, Internet, Reply

TENANT = "11111111-1111-4111-8111-111111111111"
OTHER_TENANT = "22222222-2222-4222-8222-222222222222"
CLIENT = "33333333-3333-4333-8333-333333333333"
EXPIRED_SECRET = "was-good-once"
CLOUDS = {
    "vault.azure.net": "login.microsoftonline.com",
    "vault.azure.cn": "login.chinacloudapi.cn",
    "vault.usgovcloudapi.net": "login.microsoftonline.us",
}
NAMES = (*(f"*.{domain}" for domain in CLOUDS), *CLOUDS.values())


class Azure:
    """Tenants, one application in each, and vaults. `secrets` has the vaults' contents, by host and name."""

    def __init__(self, internet: Internet) -> None:
        self.client_secret = f"secret-{id(self):x}"
        self.certificate: x509.Certificate | None = None
        self.federated_token = f"federated-{id(self):x}"
        self.managed_identity = f"managed-{id(self):x}"
        self.secrets: dict[str, dict[str, dict[str, Any]]] = {}
        self.deleted: dict[str, set[str]] = {}
        self.refusals: dict[str, Reply] = {}
        self.throttled: dict[str, int] = {}
        self.at_once = 0
        self.tokens: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()
        for domain, login in CLOUDS.items():
            internet.serve(login, self.entra)
            internet.serve(f"*.{domain}", self.vault)
        internet.serve("127.0.0.1", self.metadata)

    def put(self, name: str, value: str, *, vault: str = "shop.vault.azure.net", **attributes: object) -> None:
        found = {"value": value, "attributes": {"enabled": True, "created": 1, "updated": 1, **attributes}}
        self.secrets.setdefault(vault, {})[name] = found

    def issue(self, tenant: str, resource: str) -> dict[str, object]:
        token = f"token-{len(self.tokens)}-{tenant[:4]}"
        self.tokens[token] = (tenant, resource)
        return {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}

    # -- Microsoft Entra

    def entra(self, asked: Asked) -> Reply:
        origin = f"https://{asked.host}"
        tenant = asked.path.split("/")[1]
        if asked.path == "/common/discovery/instance":
            found = {"tenant_discovery_endpoint": f"{origin}/{TENANT}/v2.0/.well-known/openid-configuration"}
            return Reply(200, {**found, "metadata": []})
        if tenant not in {TENANT, OTHER_TENANT}:
            return _entra_error(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
        if asked.path.endswith("/.well-known/openid-configuration"):
            return Reply(
                200,
                {
                    "token_endpoint": f"{origin}/{tenant}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{origin}/{tenant}/oauth2/v2.0/authorize",
                    "issuer": f"{origin}/{tenant}/v2.0",
                    "jwks_uri": f"{origin}/{tenant}/discovery/v2.0/keys",
                },
            )
        if asked.path == f"/{tenant}/oauth2/v2.0/token" and asked.method == "POST":
            return self._token(tenant, asked)
        return Reply(404)

    def _token(self, tenant: str, asked: Asked) -> Reply:
        form = asked.form
        if form.get("grant_type") != "client_credentials":
            return _entra_error(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if form.get("client_id") != CLIENT:
            return _entra_error(400, "unauthorized_client", 700016, "Application with identifier was not found.")
        refused = self._refused_credential(form, f"https://{asked.host}/{tenant}/oauth2/v2.0/token")
        resource = form["scope"].removesuffix("/.default")
        return refused or Reply(200, self.issue(tenant, resource))

    def _refused_credential(self, form: Mapping[str, str], audience: str) -> Reply | None:
        assertion = form.get("client_assertion")
        if assertion is None and form.get("client_secret") == self.client_secret:
            return None
        if assertion is None:
            number = 7000222 if form.get("client_secret") == EXPIRED_SECRET else 7000215
            said = f"Invalid client secret provided: {form.get('client_secret')}"  # a server that tells too much
            return _entra_error(401, "invalid_client", number, said)
        if assertion == self.federated_token or self._signed(assertion, audience):
            return None
        number = 700027 if assertion.count(".") == 2 else 700213
        return _entra_error(401, "invalid_client", number, f"The assertion {assertion} is not valid.")

    def _signed(self, assertion: str, audience: str) -> bool:
        """Verify an assertion that is signed with the private key of the application's certificate."""
        if self.certificate is None or assertion.count(".") != 2:
            return False
        header, claims, signature = assertion.split(".")
        found = json.loads(_decoded(header))
        key = self.certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        padded: padding.AsymmetricPadding = padding.PKCS1v15()
        if found["alg"] == "PS256":
            padded = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
        der = self.certificate.public_bytes(Encoding.DER)
        thumbprints = {"x5t": hashlib.sha1(der).digest(), "x5t#S256": hashlib.sha256(der).digest()}
        if not any(name in found and _decoded(found[name]) == value for name, value in thumbprints.items()):
            return False
        key.verify(_decoded(signature), f"{header}.{claims}".encode(), padded, SHA256())
        return bool(json.loads(_decoded(claims))["aud"] == audience)

    # -- Azure Key Vault

    def vault(self, asked: Asked) -> Reply:
        domain = asked.host.partition(".")[2]
        resource = f"https://{domain}"
        login = f'Bearer authorization="https://{CLOUDS[domain]}/{TENANT}", resource="{resource}"'
        if asked.bearer is None:
            said = "AKV10000: Request is missing a Bearer or PoP token."
            return _vault_error(401, "Unauthorized", said, headers={"WWW-Authenticate": login})
        if self.tokens.get(asked.bearer) != (TENANT, resource):
            said = "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/..., found another."
            return _vault_error(401, "Unauthorized", said, headers={"WWW-Authenticate": login})
        if "api-version" not in asked.query:
            return _vault_error(400, "BadParameter", "api-version must be specified")
        collection, _, name = asked.path.removeprefix("/").partition("/")
        name, _, version = name.partition("/")
        with self._lock:
            if self.throttled.get(name, 0) > 0:
                self.throttled[name] -= 1
                said = "Request was not processed because too many requests were received."
                return _vault_error(429, "Throttled", said, headers={"Retry-After": "0"})
        if name in self.refusals:
            return self.refusals[name]
        return self._secret(asked.host, collection, name, version)

    def _secret(self, host: str, collection: str, name: str, version: str) -> Reply:
        is_deleted = name in self.deleted.get(host, set())
        if collection == "deletedsecrets":
            if is_deleted:
                return Reply(200, {"recoveryId": f"https://{host}/deletedsecrets/{name}", "deletedDate": 1})
            return _vault_error(404, "SecretNotFound", f"Deleted Secret not found: {name}")
        found = None if is_deleted else self.secrets.get(host, {}).get(f"{name}/{version}" if version else name)
        if found is None:
            said = f"A secret with (name/id) {name} was not found in this key vault."
            return _vault_error(404, "SecretNotFound", said)
        if not found["attributes"]["enabled"]:
            said = "Operation get is not allowed on a disabled secret."
            return _vault_error(403, "Forbidden", said, inner="SecretDisabled")
        return Reply(200, {**found, "id": f"https://{host}/secrets/{name}/{version or 'a1'}"})

    # -- what only machines of Azure have

    def metadata(self, asked: Asked) -> Reply:
        """The metadata service of virtual machines, and the one of App Service."""
        token = {"access_token": "", "expires_on": "9999999999", "expires_in": "3600", "token_type": "Bearer"}
        if asked.path == "/metadata/identity/oauth2/token" and asked.headers.get("metadata") == "true":
            allowed = asked.query.get("client_id", self.managed_identity) == self.managed_identity
        elif asked.path == "/msi/token":
            allowed = asked.headers.get("x-identity-header") == self.managed_identity
        else:
            return Reply(400, {"error": "invalid_request", "error_description": "Required metadata header missing"})
        if not allowed:
            return Reply(400, {"error": "invalid_request", "error_description": "Identity not found"})
        return Reply(200, {**token, **self.issue(TENANT, asked.query["resource"].rstrip("/"))})


def _entra_error(status: int, kind: str, number: int, said: str) -> Reply:
    return Reply(status, {"error": kind, "error_description": f"AADSTS{number}: {said}", "error_codes": [number]})


def _vault_error(
    status: int, code: str, said: str, *, inner: str | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    error = {"code": code, "message": said, **({"innererror": {"code": inner}} if inner else {})}
    return Reply(status, {"error": error}, headers or {})


def forbidden(inner: str) -> Reply:
    """The refusal of a vault, with the code that tells why."""
    return _vault_error(403, "Forbidden", "Caller is not authorized to perform action on resource.", inner=inner)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def application_certificate(folder: Path, *, password: str | None = None) -> tuple[x509.Certificate, Path]:
    """Make a certificate of an application, and a file that has it and its private key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    locked = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    file = folder / "application.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked) + certificate.public_bytes(Encoding.PEM)
    )
    return certificate, file
