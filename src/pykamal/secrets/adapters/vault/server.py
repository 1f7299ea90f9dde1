"""One Vault server: requests with a namespace and a token, and what its refusals mean."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pykamal.core.answers import mapping, sequence
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.http import Answer, Client
from pykamal.secrets.adapters.settings import Settings
from pykamal.secrets.adapters.vault.answer_parts import data, document, errors, is_sealed
from pykamal.secrets.adapters.vault.settings import DEFAULT_ADDRESS
from pykamal.secrets.credentials import hidden

_REDIRECTS: Final = frozenset({301, 302, 307, 308})
_NO_PERMISSION: Final = ("* permission denied", "preflight capability check")
_NO_TOKEN: Final = "invalid token"  # noqa: S105 - HashiCorp Vault adds it to a permission that is denied


@dataclass(frozen=True, slots=True)
class Token:
    """A token and what is known of it. `source` names it in errors; a login gives seconds and uses, 0 for no limit."""

    value: Sensitive
    source: str
    seconds: int = 0
    uses: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def has_expired(self) -> bool:
        return 0 < self.seconds <= time.monotonic() - self.since


class Server:
    """One Vault, asked in one namespace. `token` is that of the login, once there was one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = (settings.get("address") or DEFAULT_ADDRESS).rstrip("/")
        self.token: Token | None = None
        self._client = self._client_of(self.address)
        self._redirected = False
        self._accepted = False
        self._lock = threading.Lock()

    def close(self) -> None:
        self._client.close()

    def ask(
        self, method: str, path: str, body: object = None, *, token: Sensitive | None = None, repeatable: bool = True
    ) -> Answer:
        """Send a request, with the token of the login unless there is another, and return the answer as it is."""
        headers = self._headers(token or (self.token.value if self.token is not None else None))
        content = None if body is None else json.dumps(body).encode()

        def send(client: Client) -> Answer:
            # A login may be good for one use: it is not sent again when its answer was lost.
            again = repeatable and method == "GET"
            return client.request(method, f"/v1/{quote(path)}", headers=headers, body=content, repeatable=again)

        client = self._client
        answer = send(client)
        if answer.status in _REDIRECTS:
            answer = send(self._active(client, answer))
        if answer.status in {200, 404} and self.token is not None and token is None:
            self._accepted = True
        return answer

    def check(self, answer: Answer, path: str, place: str) -> None:
        """Raise the error for an answer that is no success. `place` is where the API has what people call `path`."""
        reported = errors(answer)
        if answer.status == 403:
            raise self._forbidden(reported, place)
        if answer.status == 404 and "namespace not found" in reported:
            raise KamalError("Vault has no such namespace", hint=f"correct {self.settings.where('namespace')}")
        if answer.status == 404:
            raise KamalError(f"Vault has nothing at {path}", hint="the path is MOUNT/PATH, without `data/`")
        if answer.status == 429:
            raise KamalError("Vault limits the rate of requests, and did so for every attempt", hint="try again later")
        if is_sealed(answer):
            raise self._sealed()
        if answer.status != 200:
            raise KamalError(
                f"Vault at {self.address} answered with HTTP status {answer.status} for {path}",
                hint=f"look at {self.settings.where('address')}, and at the server's log",
            )

    def token_seconds(self) -> int | None:
        """Ask how long the token still lives; None where it has no end, or may not be looked up."""
        ttl = data(self.ask("GET", "auth/token/lookup-self")).get("ttl")
        return ttl if isinstance(ttl, int) and ttl > 0 else None

    def identity(self) -> str | None:
        """Ask as whom the server knows the token; None where it may not tell. Raises `KamalError` for another token."""
        place = "auth/token/lookup-self"
        answer = self.ask("GET", place)
        if answer.status == 403 and _lacks_permission(errors(answer)):
            return None  # the token is without the policy `default`
        self.check(answer, place, place)
        found = data(answer)
        policies = ", ".join(map(str, sequence(found.get("policies"))))
        return f"{found.get('display_name') or 'a token'} ({policies or 'no policies'})"

    def _headers(self, token: Sensitive | None) -> dict[str, str]:
        namespace = self.settings.get("namespace")
        return {
            "X-Vault-Request": "true",
            **({"X-Vault-Namespace": namespace} if namespace else {}),
            **({"X-Vault-Token": token.reveal()} if token is not None else {}),
        }

    def _client_of(self, address: str) -> Client:
        get, where = self.settings.get, self.settings.where
        return Client(
            address,
            manager="Vault",
            environment=self.settings.environment,
            ca=get("ca") or get("ca_path"),
            ca_variable=where("ca_path" if get("ca_path") and not get("ca") else "ca"),
            server_name=get("tls_server_name"),
            certificate=get("client_certificate"),
            key=get("client_key"),
            certificate_variable=where("client_certificate"),
            final=is_sealed,
        )

    def _active(self, asked: Client, answer: Answer) -> Client:
        """Return the client of the active server that a standby names. It is asked from now on."""
        with self._lock:
            if self._client is not asked:
                return self._client
            url = urlsplit(answer.headers.get("location", ""))
            safe = url.scheme == "https" or not self.address.startswith("https:")
            if self._redirected or not url.hostname or not safe:
                raise KamalError(
                    f"Vault at {self.address} sends requests on to a server that cannot be followed to",
                    hint=f"name the active server in {self.settings.where('address')}",
                )
            self._redirected = True
            self._client = self._client_of(f"{url.scheme}://{url.netloc.rpartition('@')[2]}")
            asked.close()
            return self._client

    def _sealed(self) -> KamalError:
        state = self.ask("GET", "sys/seal-status")
        if state.status == 200 and document(state).get("initialized") is False:
            return KamalError(
                f"Vault at {self.address} was never initialised",
                hint=f"look at {self.settings.where('address')}, or set the server up with `vault operator init`",
            )
        return KamalError(f"Vault at {self.address} is sealed", hint="have it unsealed; `vault status` shows its state")

    def _forbidden(self, reported: str, place: str) -> KamalError:
        looked_up = self.ask("GET", "auth/token/lookup-self")
        if _lacks_permission(reported) or looked_up.status == 200:
            named = sequence(data(looked_up).get("policies")) if looked_up.status == 200 else []
            policies = ", ".join(map(str, named)) or "unknown"
            return KamalError(
                f"The token of Vault has no permission to read {place} (policies: {policies})",
                hint=f'a policy needs: path "{place}" {{ capabilities = ["read"] }}; or the mount does not exist',
            )
        assert self.token is not None, "nothing is read before the login"
        return _not_valid(self.token, accepted=self._accepted, where=self.settings.where)


def _lacks_permission(reported: str) -> bool:
    """Tell that the server knows the token and does not permit, by the words of a refusal."""
    return any(words in reported for words in _NO_PERMISSION) and _NO_TOKEN not in reported


def _not_valid(token: Token, *, accepted: bool, where: Callable[[str], str]) -> KamalError:
    """Return the error for a token that the server does not know, or not any more."""
    if accepted and token.has_expired:
        reason = f"it expired, for it lived {token.seconds} seconds"
        hint = "give the tokens of its role a longer life (`token_ttl`)"
    elif accepted and token.uses:
        reason = f"it was revoked, or its {token.uses} uses are used up"
        hint = "let the tokens of its role be used without a limit (`token_num_uses=0`)"
    elif accepted and token.seconds:
        reason = "it was revoked"
        hint = "see in the server's audit log who did that, and run the command again"
    elif accepted:
        reason = "it expired, was revoked or had no uses left"
        hint = "log in anew (`vault login`), with a token that lives longer"
    else:
        return KamalError(
            f"Vault does not know the token of {token.source}: it expired, was revoked, or is of another server or "
            "namespace",
            hint="log in anew (`vault login`), or renew VAULT_TOKEN; "
            f"{where('address')} and {where('namespace')} have to fit it",
        )
    return KamalError(f"The token of {token.source} ended while secrets were read from Vault: {reason}", hint=hint)


def issued(answer: Answer, source: str) -> Token | None:
    """Return the token that a login brought; None when there is none in the answer."""
    auth = mapping(document(answer).get("auth"))
    value, seconds, uses = auth.get("client_token"), auth.get("lease_duration"), auth.get("num_uses")
    if not isinstance(value, str) or not value:
        return None
    return Token(hidden(value), source, _count(seconds), _count(uses))


def _count(found: Any) -> int:
    return found if isinstance(found, int) and found > 0 else 0
