"""The adapter `infisical`: Infisical over HTTP (docs/secrets.md).

A name is `PROJECT/ENVIRONMENT/[FOLDER/]NAME`; `NAME` and `/[FOLDER/]NAME` are in the project and the environment of the
settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from pykamal.core.answers import mapping
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.http import Answer, Client, requests_at_a_time
from pykamal.secrets.adapters.id_tokens import asks_for_permission, how_to_get_one, id_token
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account, with_source
from pykamal.secrets.adapters.server_json import document, not_understood
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.tool import OncePerRun, are_objects
from pykamal.secrets.credentials import hidden

_SERVER: Final = "Infisical"
_MASK: Final = "<hidden-by-infisical>"
"""The text that stands in place of a value that may be listed and not read."""

_IDENTIFIER: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{24}")
_KUBERNETES_TOKEN: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path

SETTINGS: Final = (
    Setting("address", "the server, if not https://app.infisical.com", ("INFISICAL_API_URL", "INFISICAL_DOMAIN")),
    Setting("project", "the id or the slug of the project", ("INFISICAL_PROJECT_ID",)),
    Setting("environment", "the slug of the environment, such as prod", ("INFISICAL_ENVIRONMENT",)),
    Setting("path", "the folder of names without one", ("INFISICAL_SECRET_PATH",)),
    Setting("ca", "a file of the certificate authorities to trust", ("SSL_CERT_FILE",)),
    Setting("auth/token", "an access token", ("INFISICAL_TOKEN",), secret=True),
    Setting("auth/universal/client_id", "the client id of Universal Auth", ("INFISICAL_UNIVERSAL_AUTH_CLIENT_ID",)),
    Setting(
        "auth/universal/client_secret", "its client secret", ("INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET",), secret=True
    ),
    Setting("auth/identity_id", "the machine identity of OIDC and Kubernetes Auth", ("INFISICAL_MACHINE_IDENTITY_ID",)),
    Setting(
        "auth/oidc/jwt",
        "the token of CI that OIDC Auth takes; GitHub is asked for one without it",
        ("INFISICAL_JWT",),
        secret=True,
    ),
    Setting(
        "auth/oidc/audience",
        "for whom GitHub makes that token; the repository's owner without it",
        ("INFISICAL_JWT_AUDIENCE",),
    ),
    Setting(
        "auth/kubernetes/token_file",
        "the file of the service account's token for Kubernetes Auth",
        ("INFISICAL_KUBERNETES_SERVICE_ACCOUNT_TOKEN_PATH",),
    ),
)


@dataclass(frozen=True, slots=True)
class _Folder:
    project: str
    environment: str
    path: str

    def __str__(self) -> str:
        return f"{self.project}/{self.environment}{self.path}"


class Infisical:
    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._tokens: OncePerRun[Sensitive] = OncePerRun()

    def configured(self, settings: Settings) -> Infisical:
        return Infisical(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("infisical", account, hint="it logs in as a machine identity, by the environment")
        names = {name: self._place(name) for name in with_source(secrets, source)}
        folders = list(dict.fromkeys(folder for folder, _ in names.values()))
        client = self._client()
        with closing(client), ThreadPoolExecutor(requests_at_a_time()) as pool:
            token = self._tokens.get(client.address, lambda: _log_in(client, self._settings))
            held = dict(zip(folders, pool.map(lambda each: _read(client, token, each), folders), strict=True))
        return {name: _value(held[folder], folder, key) for name, (folder, key) in names.items()}

    def status(self, *, account: str | None) -> str | None:
        refuse_account("infisical", account)
        get = self._settings.get
        with closing(client := self._client()):
            self._tokens.get(client.address, lambda: _log_in(client, self._settings))
        if get("auth/token"):
            return None  # only a fetch tells whether the server takes it
        identity = get("auth/universal/client_id") or get("auth/identity_id")
        return f"the machine identity of {identity}"

    def _client(self) -> Client:
        settings = self._settings
        return Client(
            (settings.get("address") or "https://app.infisical.com").rstrip("/").removesuffix("/api"),
            manager=_SERVER,
            environment=settings.environment,
            ca=settings.get("ca"),
            ca_variable=settings.where("ca"),
        )

    def _place(self, name: str) -> tuple[_Folder, str]:
        """Return the folder of a secret, and its name there."""
        get, where = self._settings.get, self._settings.where
        path, slash, key = name.rpartition("/")
        if slash and not name.startswith("/"):
            project, _, path = path.partition("/")
            environment, _, path = path.partition("/")
        else:
            project, environment = get("project") or "", get("environment") or ""
            path = path if slash else get("path") or ""
        if not key or not project or not environment:
            raise KamalError(
                f"{name} does not say where it is in Infisical",
                hint=f"write PROJECT/ENVIRONMENT/[FOLDER/]NAME, or set {where('project')} and {where('environment')}",
            )
        return _Folder(project, environment, f"/{path.strip('/')}"), key


def _log_in(client: Client, settings: Settings) -> Sensitive:
    """Return the token of the settings, or one for a machine identity."""
    get = settings.get
    token, client_id, identity = get("auth/token"), get("auth/universal/client_id"), get("auth/identity_id")
    if token:
        return Sensitive(token)
    secret = get("auth/universal/client_secret")
    if client_id and secret:
        return _token(client, "universal-auth", {"clientId": client_id, "clientSecret": secret})
    if identity and (jwt := id_token(settings, "auth/oidc/jwt", audience=get("auth/oidc/audience"))):
        return _token(client, "oidc-auth", {"identityId": identity, "jwt": jwt.reveal()})
    if identity and (jwt := _service_account(get("auth/kubernetes/token_file") or _KUBERNETES_TOKEN)):
        return _token(client, "kubernetes-auth", {"identityId": identity, "jwt": jwt.reveal()})
    if identity and asks_for_permission(settings.environment):
        raise KamalError(
            f"Not logged in to Infisical at {client.address}", hint=how_to_get_one(settings, "auth/oidc/jwt")
        )
    raise KamalError(
        f"Not logged in to Infisical at {client.address}",
        hint="set INFISICAL_UNIVERSAL_AUTH_CLIENT_ID and INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET, or "
        "INFISICAL_MACHINE_IDENTITY_ID and INFISICAL_JWT (the token of CI), or INFISICAL_TOKEN",
    )


def _service_account(file: str) -> Sensitive | None:
    """Return the token of a pod; None where this is none."""
    with suppress(OSError, UnicodeDecodeError):
        return hidden(Path(file).read_text().strip())
    return None


def _token(client: Client, method: str, credentials: Mapping[str, str]) -> Sensitive:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(credentials).encode()
    # A client secret may be good for a number of logins: a login is not sent again when its answer was lost.
    answer = client.request("POST", f"/api/v1/auth/{method}/login", headers=headers, body=body, repeatable=False)
    if answer.status in {400, 401, 403, 404, 422}:
        raise KamalError(
            f"Infisical at {client.address} refused the login by {method}",
            hint="the credentials are wrong, expired or used up, or this address is not among the trusted ones; "
            "look at the machine identity's authentication, and at INFISICAL_API_URL (the EU has its own server)",
        )
    _check(answer, "the login")
    token = document(answer, _SERVER).get("accessToken")
    if not isinstance(token, str):
        raise not_understood(_SERVER)
    return hidden(token)


def _read(client: Client, token: Sensitive, folder: _Folder) -> Mapping[str, Mapping[str, Any]]:
    """Return all secrets of a folder by name, those of its imports included."""
    project = "workspaceId" if _IDENTIFIER.fullmatch(folder.project) else "workspaceSlug"
    query = {
        project: folder.project,
        "environment": folder.environment,
        "secretPath": folder.path,
        "expandSecretReferences": "true",
        "include_imports": "true",
    }
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    answer = client.request("GET", f"/api/v3/secrets/raw?{urlencode(query)}", headers=headers)
    _check(answer, str(folder))
    found = document(answer, _SERVER)
    own, imports = found.get("secrets"), found.get("imports") or []
    if not are_objects(own) or not are_objects(imports):
        raise not_understood(_SERVER)
    # The nearer place comes first: the folder itself, then the last import.
    secrets: dict[str, Mapping[str, Any]] = {}
    for each in [own, *(imported.get("secrets") for imported in reversed(imports))]:
        if not are_objects(each):
            raise not_understood(_SERVER)
        for secret in each:
            if secret.get("type") != "personal":
                secrets.setdefault(str(secret.get("secretKey")), secret)
    return secrets


def _value(held: Mapping[str, Mapping[str, Any]], folder: _Folder, key: str) -> Sensitive:
    if key not in held:
        there = ", ".join(list(held)[:20]) or "no secrets"
        raise KamalError(f"{folder} in Infisical has no secret {key}", hint=f"it has {there}")
    value = held[key].get("secretValue")
    if held[key].get("secretValueHidden") is True or value == _MASK:
        raise _not_permitted(f"the value of {key} in {folder}")
    if not isinstance(value, str):
        raise not_understood(_SERVER)
    return Sensitive(value)


def _check(answer: Answer, place: str) -> None:
    """Raise the error for an answer that is no success."""
    if answer.status == 200:
        return
    if answer.status == 401:
        raise KamalError(
            "Infisical does not take the token: it expired, was revoked, or is of another server",
            hint="log in anew, or let pykamal log in by INFISICAL_UNIVERSAL_AUTH_CLIENT_ID and its secret",
        )
    if answer.status == 403:
        raise _not_permitted(place)
    if answer.status == 404:
        raise KamalError(
            f"Infisical has no {place}",
            hint="a name is PROJECT/ENVIRONMENT/[FOLDER/]NAME, with the id or slug of the project and the slug of the "
            f"environment{_named(answer)}",
        )
    if answer.status == 429:
        raise KamalError("Infisical limits the rate of requests, and did so for every attempt", hint="try again later")
    raise KamalError(
        f"Infisical answered with HTTP status {answer.status} for {place}",
        hint="look at INFISICAL_API_URL, and at the server's log",
    )


def _named(answer: Answer) -> str:
    """Tell what is missing, as far as the server's message has known words."""
    message = str(mapping(document(answer, _SERVER)).get("message", ""))
    for word in ("Folder", "Environment", "Project", "Workspace"):
        if message.startswith(word):
            return f"; here the {word.lower()} is missing"
    return ""


def _not_permitted(place: str) -> KamalError:
    return KamalError(
        f"No permission to read {place} in Infisical",
        hint="the machine identity needs a role in the project with `Read Value` of secrets, for this environment and "
        "folder",
    )


ADAPTER: Final[Adapter] = Infisical()
