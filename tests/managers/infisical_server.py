"""Infisical, as far as logins and reading secrets go, by its documented REST contract.

`test_infisical.py` proves it by the vendor's own client, which reads the same secrets.
"""

from __future__ import annotations

import json
from typing import Any

from tests.managers.internet import Asked, Internet, Reply

PROJECT = "7e8a1c9e-53c5-4d07-8f55-31a6a1f3c001"
SLUG = "shop-x1y2"
IDENTITY = "2ad0c7b5-8d52-4d3f-9a43-0cfa8b2c4002"
NAMES = ("app.infisical.com", "secrets.example.com")


class InfisicalServer:
    """One project with the environments dev and prod, and one machine identity."""

    def __init__(self, internet: Internet) -> None:
        self.client_id = "c1"
        self.client_secret = f"secret-{id(self):x}"
        self.jwt = f"jwt-{id(self):x}"
        self.folders: dict[tuple[str, str], list[dict[str, Any]]] = {("prod", "/"): [], ("dev", "/"): []}
        self.imports: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.refusal: Reply | None = None
        self.tokens: list[str] = []
        for name in NAMES:
            internet.serve(name, self)

    def put(
        self,
        key: str,
        value: str,
        *,
        environment: str = "prod",
        folder: str = "/",
        kind: str = "shared",
        hidden: bool = False,
    ) -> None:
        held = self.folders.setdefault((environment, folder), [])
        held.append(
            {
                "id": f"s{len(held)}",
                "_id": f"s{len(held)}",
                "workspace": PROJECT,
                "environment": environment,
                "version": 1,
                "type": kind,
                "secretKey": key,
                "secretValue": "<hidden-by-infisical>" if hidden else value,
                "secretValueHidden": hidden,
                "secretComment": "",
                "secretPath": folder,
                "createdAt": "2026-01-01T00:00:00.000Z",
                "updatedAt": "2026-01-01T00:00:00.000Z",
                "tags": [],
            }
        )

    def issue(self) -> str:
        self.tokens.append(f"token-{len(self.tokens)}")
        return self.tokens[-1]

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.startswith("/api/v1/auth/"):
            return self._log_in(asked)
        if asked.path == "/api/v3/secrets/raw" and asked.method == "GET":
            return self.refusal or self._list(asked)
        return _error(404, "NotFound", f"Route {asked.method}:{asked.path} not found")

    def _log_in(self, asked: Asked) -> Reply:
        method = asked.path.removeprefix("/api/v1/auth/").removesuffix("/login")
        accepted = {
            "universal-auth": {"clientId": self.client_id, "clientSecret": self.client_secret},
            "oidc-auth": {"identityId": IDENTITY, "jwt": self.jwt},
            "kubernetes-auth": {"identityId": IDENTITY, "jwt": self.jwt},
        }
        given = json.loads(asked.body)
        if accepted.get(method) != given:
            return _error(401, "UnauthorizedError", f"Invalid credentials: {given}")  # a server that tells too much
        granted = {"accessToken": self.issue(), "expiresIn": 7200, "accessTokenMaxTTL": 7200, "tokenType": "Bearer"}
        return Reply(200, granted)

    def _list(self, asked: Asked) -> Reply:
        query = asked.query
        if asked.bearer not in self.tokens:
            return _error(401, "TokenError", "Token expired")
        if query.get("workspaceId") != PROJECT and query.get("workspaceSlug") != SLUG:
            return _error(404, "NotFound", "Project with ID 'x' not found")
        place = (query["environment"], query["secretPath"])
        if place not in self.folders:
            said = f"Folder with path '{place[1]}' in environment with slug '{place[0]}' not found"
            return _error(404, "NotFound", said)
        imports = self.imports.get(place, []) if query.get("include_imports") == "true" else []
        found = [
            {"environment": each[0], "secretPath": each[1], "folderId": "f", "secrets": self.folders[each]}
            for each in imports
        ]
        return Reply(200, {"secrets": self.folders[place], "imports": found})


def _error(status: int, kind: str, said: str) -> Reply:
    return Reply(status, {"statusCode": status, "message": said, "error": kind}, {"Retry-After": "0"})


def refusal(status: int) -> Reply:
    return _error(status, "Refused", "You are not allowed to do this")
