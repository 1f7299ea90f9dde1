"""Google's logins and Secret Manager, as far as reading secrets goes, by their documented REST contracts.

There is no emulator of Secret Manager. `test_gcp_api.py` proves this one by the vendor's own client, which reads the
same secrets.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pykamal.secrets.adapters.gcp_api import crc32c
from tests.managers.internet import Asked, Internet, Reply

SERVICE_ACCOUNT = "deploy@shop-project.iam.gserviceaccount.com"
OTHER_ACCOUNT = "reader@shop-project.iam.gserviceaccount.com"
POOL = "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/ci/providers/gitlab"
REGION = "europe-west3"
NAMES = ("*.googleapis.com", f"secretmanager.{REGION}.rep.googleapis.com")
API = "https://secretmanager.googleapis.com/"


class GoogleCloud:
    """One project with secrets, a service account, a user, and a pool of workload identities."""

    def __init__(self, internet: Internet) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.refresh_token = f"refresh-{id(self):x}"
        self.subject_token = f"subject-{id(self):x}"
        self.versions: dict[str, dict[str, Any]] = {}
        self.refusals: dict[str, Reply] = {}
        self.tokens: dict[str, str] = {}
        self.forbidden_impersonation = False
        self.on_google = True
        internet.serve("oauth2.googleapis.com", self.oauth2)
        internet.serve("sts.googleapis.com", self.sts)
        internet.serve("iamcredentials.googleapis.com", self.iam)
        internet.serve("cloudresourcemanager.googleapis.com", lambda _: Reply(200, {"projectId": "shop-project"}))
        internet.serve("secretmanager.*", self.secret_manager)
        internet.serve("127.0.0.1", self.metadata)

    # -- files of credentials

    def service_account(self) -> dict[str, object]:
        key = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {
            "type": "service_account",
            "project_id": "shop-project",
            "private_key_id": "k1",
            "private_key": key,
            "client_email": SERVICE_ACCOUNT,
            "client_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        }

    def user(self) -> dict[str, object]:
        return {
            "type": "authorized_user",
            "client_id": "c",
            "client_secret": "d",
            "refresh_token": self.refresh_token,
            "quota_project_id": "shop-quota",
        }

    def workload_identity(self, token_file: str, *, impersonate: bool = False) -> dict[str, object]:
        found: dict[str, object] = {
            "type": "external_account",
            "audience": POOL,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": token_file},
        }
        if impersonate:
            prefix = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
            found["service_account_impersonation_url"] = f"{prefix}/{OTHER_ACCOUNT}:generateAccessToken"
        return found

    # -- contents

    def put(self, name: str, value: bytes, *, version: str = "1", state: str = "ENABLED") -> None:
        found = {"data": base64.b64encode(value).decode(), "dataCrc32c": str(crc32c(value))}
        for each in (version, "latest"):
            self.versions[f"{name}/{each}"] = {"version": version, "state": state, "payload": found}

    def issue(self, who: str) -> dict[str, object]:
        token = f"token-{len(self.tokens)}"
        self.tokens[token] = who
        return {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    # -- logins

    def oauth2(self, asked: Asked) -> Reply:
        form = asked.form
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") == self.refresh_token:
                return Reply(200, self.issue("user"))
            said = f"Token {form.get('refresh_token')} has been expired or revoked."  # a server that tells too much
            return Reply(400, {"error": "invalid_grant", "error_description": said})
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return Reply(400, {"error": "unsupported_grant_type"})
        claims = self._verified(form.get("assertion", ""))
        if claims is None or claims["iss"] != SERVICE_ACCOUNT or claims["aud"] != "https://oauth2.googleapis.com/token":
            return Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        return Reply(200, self.issue(SERVICE_ACCOUNT))

    def sts(self, asked: Asked) -> Reply:
        form = asked.form
        if form.get("audience") != POOL or form.get("subject_token") != self.subject_token:
            said = f"The token {form.get('subject_token')} does not fit the pool."
            return Reply(400, {"error": "invalid_grant", "error_description": said})
        issued = "urn:ietf:params:oauth:token-type:access_token"
        return Reply(200, {**self.issue("workload"), "issued_token_type": issued})

    def iam(self, asked: Asked) -> Reply:
        if asked.bearer not in self.tokens or self.forbidden_impersonation:
            said = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
            return _error(403, "PERMISSION_DENIED", said)
        account = re.fullmatch(r"/v1/projects/-/serviceAccounts/(.+):generateAccessToken", asked.path)
        assert account
        token = self.issue(account[1])["access_token"]
        return Reply(200, {"accessToken": token, "expireTime": "2099-01-01T00:00:00Z"})

    def metadata(self, asked: Asked) -> Reply:
        """The metadata service of machines of Google Cloud."""
        flavor = {"Metadata-Flavor": "Google"}
        if asked.headers.get("metadata-flavor") != "Google" or not self.on_google:
            return Reply(403, b"")
        if asked.path.endswith("/token"):
            return Reply(200, self.issue("machine"), flavor)
        if asked.path == "/computeMetadata/v1/project/project-id":
            return Reply(200, b"shop-project", {**flavor, "content-type": "application/text"})
        if asked.path.startswith("/computeMetadata/v1/instance/service-accounts/"):
            found = {"email": SERVICE_ACCOUNT, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
            return Reply(200, found, flavor)
        return Reply(200 if asked.path == "/" else 404, b"", flavor)

    def _verified(self, assertion: str) -> Mapping[str, Any] | None:
        """Return the claims of a token that the service account's key signed."""
        if assertion.count(".") != 2:
            return None
        header, claims, signature = assertion.split(".")
        try:
            self._key.public_key().verify(
                _decoded(signature), f"{header}.{claims}".encode(), padding.PKCS1v15(), SHA256()
            )
        except InvalidSignature:
            return None
        found = json.loads(_decoded(claims))
        return found if isinstance(found, dict) else None

    # -- Secret Manager

    def secret_manager(self, asked: Asked) -> Reply:
        signed = self._verified(asked.bearer or "")  # which the vendor's client sends in place of an exchanged one
        if asked.bearer not in self.tokens and not (signed and signed["aud"] == API):
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        place = f"/locations/{REGION}" if ".rep." in asked.host else ""
        found = re.fullmatch(rf"/v1/projects/([^/]+){place}/secrets/([^/]+)/versions/([^/]+):access", asked.path)
        if found is None or asked.method != "GET":
            return Reply(404, b"<html>")
        project, secret, version = found.groups()
        if secret in self.refusals:
            return self.refusals[secret]
        held = self.versions.get(f"{project}/{secret}/{version}")
        name = f"projects/123{place}/secrets/{secret}/versions/{held['version'] if held else version}"
        if held is None:
            return _error(404, "NOT_FOUND", f"Secret [{name}] not found or has no versions.")
        if held["state"] != "ENABLED":
            return _error(400, "FAILED_PRECONDITION", f"Secret Version [{name}] is in {held['state']} state.")
        return Reply(200, {"name": name, "payload": held["payload"]})


def _error(status: int, kind: str, said: str, reason: str | None = None) -> Reply:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return Reply(status, {"error": {"code": status, "message": said, "status": kind, "details": details}})


def forbidden(reason: str | None = None) -> Reply:
    """The refusal of Secret Manager, with the reason of one that has one."""
    said = "Permission 'secretmanager.versions.access' denied for resource (or it may not exist)."
    return _error(403, "PERMISSION_DENIED", said, reason)


def throttled() -> Reply:
    return Reply(429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, {"Retry-After": "0"})


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
