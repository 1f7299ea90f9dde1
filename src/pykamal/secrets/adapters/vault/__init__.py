"""The adapter `vault`: HashiCorp Vault and OpenBao over HTTP (docs/secrets.md).

A name is `PATH/FIELD`, or `PATH#FIELD` for a field with a slash; PATH begins with the mount of the engine.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.http import requests_at_a_time
from pykamal.secrets.adapters.lent_values import LeasedValues
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account, with_source
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.vault.engines import Found, Mount, find_mounts, read
from pykamal.secrets.adapters.vault.logins import log_in, of_wrapped_secret_id
from pykamal.secrets.adapters.vault.server import Server, Token
from pykamal.secrets.adapters.vault.settings import SETTINGS, refuse_unchecked_tls


class Vault:
    """The adapter. Logins, leases and what engines there are stay in memory for all fetches of a run."""

    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._lock = threading.Lock()
        self._tokens: dict[Hashable, Token] = {}
        self._mounts: dict[Hashable, set[Mount]] = {}
        self._leased: dict[Hashable, Found] = {}

    def configured(self, settings: Settings) -> Vault:
        return Vault(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("vault", account, hint="docs/secrets.md has the ways to log in to Vault")
        names = {name: _split(name) for name in with_source(secrets, source)}
        refuse_unchecked_tls(self._settings.environment)
        with self._lock, closing(Server(self._settings)) as server, ThreadPoolExecutor(requests_at_a_time()) as pool:
            login = tuple(self._settings.get(each.key) for each in SETTINGS)
            server.token = self._token(login, server)
            found = self._read(login, server, list(dict.fromkeys(path for path, _ in names.values())), pool)
        values = {name: _field(found[path], path, field) for name, (path, field) in names.items()}
        return LeasedValues(values, [each.lease for each in found.values() if each.lease is not None])

    def status(self, *, account: str | None) -> str | None:
        refuse_account("vault", account)
        refuse_unchecked_tls(self._settings.environment)
        wrapped = self._settings.get("auth/approle/wrapped_secret_id")
        with self._lock, closing(Server(self._settings)) as server:
            if wrapped and not self._settings.get("auth/token"):
                return of_wrapped_secret_id(server, wrapped)  # a login would use it up
            login = tuple(self._settings.get(each.key) for each in SETTINGS)
            server.token = self._token(login, server)
            return server.identity()

    def _token(self, login: Hashable, server: Server) -> Token:
        token = self._tokens.get(login)
        if token is None or token.has_expired:
            token = self._tokens[login] = log_in(server)
        return token

    def _read(
        self, login: Hashable, server: Server, paths: Sequence[str], pool: ThreadPoolExecutor
    ) -> dict[str, Found]:
        now = time.monotonic()
        leased = {path: self._leased.get((login, path)) for path in paths}
        found = {path: each for path, each in leased.items() if each is not None and each.until > now}
        left = [path for path in paths if path not in found]
        known = self._mounts.setdefault(login, set())
        mounts = find_mounts(server, left, pool, known=known)
        known.update(mounts.values())
        answers = zip(left, pool.map(lambda path: read(server, path, mounts[path]), left), strict=True)
        found |= _within_life_of_token(server, dict(answers))
        self._leased |= {(login, path): each for path, each in found.items() if each.lease is not None}
        return {path: found[path] for path in paths}


def _within_life_of_token(server: Server, found: dict[str, Found]) -> dict[str, Found]:
    """Shorten leases to the life of the token: a server takes back what a token got when the token ends."""
    seconds = server.token_seconds() if any(each.lease is not None for each in found.values()) else None
    return found if seconds is None else {path: each.shortened(seconds) for path, each in found.items()}


def _split(name: str) -> tuple[str, str]:
    path, separator, field = name.partition("#") if "#" in name else name.rpartition("/")
    path = path.strip("/")
    if not separator or not field or "/" not in path or ".." in path.split("/"):
        raise KamalError(f"{name} names no field in Vault", hint="write MOUNT/PATH/FIELD, or MOUNT/PATH#FIELD")
    return path, field


def _field(found: Found, path: str, field: str) -> Sensitive | None:
    if field not in found.fields:
        raise KamalError(
            f"{path} in Vault has no field {field}", hint=f"it has {', '.join(found.fields) or 'no fields'}"
        )
    value = found.fields[field]
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Sensitive(text)


ADAPTER: Final[Adapter] = Vault()
