"""The adapter `vault`: HashiCorp Vault and OpenBao over HTTP (docs/secrets.md).

A name is `PATH/FIELD`, or `PATH#FIELD` for a field with a slash; PATH begins with the mount of the engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import quote

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.http import Answer, Client
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.settings import Setting, Settings

_AT_A_TIME: Final = 8
_PREFLIGHT: Final = "preflight capability check"  # a token that is valid and lacks the permission


SETTINGS: Final = (
    Setting("address", "the server", ("BAO_ADDR", "VAULT_ADDR")),
    Setting("namespace", "the namespace of the login and of all paths", ("BAO_NAMESPACE", "VAULT_NAMESPACE")),
    Setting("ca", "a file of the certificate authorities to trust", ("BAO_CACERT", "VAULT_CACERT")),
    Setting("auth/token", "the token", ("BAO_TOKEN", "VAULT_TOKEN"), secret=True),
    Setting("auth/approle/role_id", "the role to log in with", ("BAO_ROLE_ID", "VAULT_ROLE_ID")),
    Setting("auth/approle/secret_id", "its secret id", ("BAO_SECRET_ID", "VAULT_SECRET_ID"), secret=True),
    Setting(
        "auth/approle/wrapped_secret_id",
        "a wrapping token, good for one use, instead of the secret id",
        ("BAO_WRAPPED_SECRET_ID", "VAULT_WRAPPED_SECRET_ID"),
        secret=True,
    ),
)


class Vault:
    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)

    def configured(self, settings: Settings) -> Vault:
        return Vault(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        if account:
            raise KamalError("The adapter vault takes no --account", hint="it logs in by VAULT_TOKEN or an AppRole")
        names = {name: _split(name) for name in with_source(secrets, source)}
        paths = list(dict.fromkeys(path for path, _ in names.values()))
        settings = self._settings
        client = Client(
            settings.get("address") or "https://127.0.0.1:8200",
            manager="Vault",
            environment=settings.environment,
            ca=settings.get("ca"),
            ca_variable=settings.where("ca"),
            final=_is_sealed,
        )
        with closing(client), ThreadPoolExecutor(_AT_A_TIME) as pool:
            server = _Server(client, settings)
            server.log_in()
            fields = dict(zip(paths, pool.map(server.read, paths), strict=True))
        return {name: _field(fields[path], path, field) for name, (path, field) in names.items()}


class _Server:
    """One Vault, for one token and one namespace."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._token: str | None = None

    def log_in(self) -> None:
        """Take the token of the environment, log in with an AppRole, or take the token that `vault login` kept."""
        token, role = self._settings.get("auth/token"), self._settings.get("auth/approle/role_id")
        if not token and role:
            token = self._approle(role)
        if not token:
            with suppress(OSError):
                token = (Path.home() / ".vault-token").read_text().strip()
        if not token:
            raise KamalError(
                f"Not logged in to Vault at {self._client.address}",
                hint="set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, or run `vault login`",
            )
        self._token = token

    def read(self, path: str) -> Mapping[str, Any]:
        """Return all fields at a path."""
        mount = self._mount(path)
        version_2 = _mapping(mount.get("options")).get("version") == "2"
        prefix = str(mount["path"])
        place = f"{prefix}data/{path[len(prefix) :]}" if version_2 else path
        answer = self._ask("GET", place)
        data = _data(answer)
        if version_2 and answer.status in {200, 404} and isinstance(data, dict) and "metadata" in data:
            data = data.get("data")
            if data is None:
                raise KamalError(
                    f"The current version of {path} in Vault is deleted",
                    hint=f"`vault kv undelete -versions=N {path}` brings a version back, unless it was destroyed",
                )
        self._check(answer, path, place)
        if not isinstance(data, dict):
            raise _not_understood()
        return data

    def _mount(self, path: str) -> Mapping[str, Any]:
        answer = self._ask("GET", f"sys/internal/ui/mounts/{path}")
        self._check(answer, path, path)
        mount = _mapping(_data(answer))
        if not path.startswith(str(mount.get("path"))):
            raise _not_understood()
        return mount

    def _approle(self, role: str) -> str:
        get, where = self._settings.get, self._settings.where
        secret, wrapped = get("auth/approle/secret_id") or "", get("auth/approle/wrapped_secret_id")
        if wrapped:
            answer = self._ask("POST", "sys/wrapping/unwrap", token=wrapped)
            if answer.status in {400, 403}:
                raise KamalError(
                    f"The wrapping token in {where('auth/approle/wrapped_secret_id')} is not valid: it was used, or "
                    "it expired",
                    hint="if this is its first use, somebody else unwrapped it: revoke the secret id, then wrap a new",
                )
            self._check(answer, "sys/wrapping/unwrap", "sys/wrapping/unwrap")
            secret = str(_mapping(_data(answer)).get("secret_id", ""))
        answer = self._ask("POST", "auth/approle/login", {"role_id": role, "secret_id": secret})
        if answer.status in {400, 403}:
            raise KamalError(
                "Vault refused the login with the AppRole: the role id or the secret id is wrong, expired or used up",
                hint=f"look at {where('auth/approle/role_id')} and {where('auth/approle/secret_id')} (or "
                f"{where('auth/approle/wrapped_secret_id')}), and at {where('namespace')}",
            )
        self._check(answer, "auth/approle", "auth/approle/login")
        token = _mapping(_document(answer).get("auth")).get("client_token")
        if not isinstance(token, str):
            raise _not_understood()
        return token

    def _ask(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Answer:
        headers = {"X-Vault-Request": "true"}
        namespace = self._settings.get("namespace")
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        if token or self._token:
            headers["X-Vault-Token"] = token or self._token or ""
        content = None if body is None else json.dumps(body).encode()
        # A login may be good for one use: it is not sent again when its answer was lost.
        return self._client.request(
            method, f"/v1/{quote(path)}", headers=headers, body=content, repeatable=method == "GET"
        )

    def _check(self, answer: Answer, path: str, place: str) -> None:
        """Raise the error for an answer that is no success."""
        errors = _errors(answer)
        if answer.status == 403:
            raise self._forbidden(errors, place)
        if answer.status == 404 and "namespace not found" in errors:
            raise KamalError("Vault has no such namespace", hint=f"correct {self._settings.where('namespace')}")
        if answer.status == 404:
            raise KamalError(f"Vault has nothing at {path}", hint="the path is MOUNT/PATH, without `data/`")
        if answer.status == 429:
            raise KamalError("Vault limits the rate of requests, and did so for every attempt", hint="try again later")
        if _is_sealed(answer):
            raise KamalError(
                f"Vault at {self._client.address} is sealed", hint="have it unsealed; `vault status` shows its state"
            )
        if answer.status != 200:
            raise KamalError(
                f"Vault at {self._client.address} answered with HTTP status {answer.status}",
                hint="look at VAULT_ADDR, and at the server's log",
            )

    def _forbidden(self, errors: str, place: str) -> KamalError:
        looked_up = self._ask("GET", "auth/token/lookup-self")
        if looked_up.status == 200 or _PREFLIGHT in errors:
            named = _mapping(_data(looked_up)).get("policies")
            policies = ", ".join(map(str, named)) if named and isinstance(named, list) else "unknown"
            return KamalError(
                f"The token of Vault has no permission to read {place} (policies: {policies})",
                hint=f'a policy needs: path "{place}" {{ capabilities = ["read"] }}; or the mount does not exist',
            )
        return KamalError(
            "Vault does not know the token: it expired, was revoked, or is of another server or namespace",
            hint="log in anew (`vault login`), or renew VAULT_TOKEN; VAULT_ADDR and VAULT_NAMESPACE have to fit it",
        )


def _split(name: str) -> tuple[str, str]:
    path, separator, field = name.partition("#") if "#" in name else name.rpartition("/")
    path = path.strip("/")
    if not separator or not field or "/" not in path or ".." in path.split("/"):
        raise KamalError(f"{name} names no field in Vault", hint="write MOUNT/PATH/FIELD, or MOUNT/PATH#FIELD")
    return path, field


def _field(fields: Mapping[str, Any], path: str, field: str) -> Sensitive:
    if field not in fields:
        raise KamalError(f"{path} in Vault has no field {field}", hint=f"it has {', '.join(fields) or 'no fields'}")
    value = fields[field]
    return Sensitive(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _document(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body or b"{}")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _not_understood() from None
    return document


def _data(answer: Answer) -> Any:
    return _document(answer).get("data") if answer.status in {200, 404} else None


def _mapping(found: object) -> Mapping[str, Any]:
    """Return an object of JSON, or an empty one for anything else."""
    return found if isinstance(found, dict) else {}


def _errors(answer: Answer) -> str:
    return "" if answer.status == 200 else answer.body.decode("utf-8", "replace")


def _is_sealed(answer: Answer) -> bool:
    return answer.status == 503 and b"sealed" in answer.body.lower()


def _not_understood() -> KamalError:
    return KamalError(
        "What answered is not Vault, or it answered with half a document", hint="look whether VAULT_ADDR is right"
    )


ADAPTER: Final[Adapter] = Vault()
