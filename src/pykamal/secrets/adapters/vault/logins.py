"""Logins to Vault: a token of the environment, AppRole, JWT, Kubernetes, and what `vault login` kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.id_tokens import how_to_get_one, id_token
from pykamal.secrets.adapters.settings import Settings
from pykamal.secrets.adapters.vault.answer_parts import data, errors, not_understood
from pykamal.secrets.adapters.vault.kept_token import kept_token
from pykamal.secrets.adapters.vault.server import Server, Token, issued
from pykamal.secrets.credentials import hidden

SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"


@dataclass(frozen=True, slots=True)
class Login:
    """A call of an auth method. `look_at` names the settings that are worth a look when it is refused."""

    method: str
    mount: str
    body: Mapping[str, str] = field(repr=False)
    look_at: tuple[str, ...]


def log_in(server: Server) -> Token:
    """Log in with the first of the methods whose credential is here. Raises `KamalError` where there is none."""
    settings = server.settings
    token = settings.get("auth/token")
    if token:
        return Token(Sensitive(token), settings.where("auth/token"))
    login = next((found for method in _METHODS if (found := method(server)) is not None), None)
    if login is not None:
        return _perform(server, login)
    kept = kept_token(server.address, settings.environment)
    if kept is not None:
        return Token(kept.value, kept.source)
    role = settings.get("auth/approle/role_id")
    if role:  # there are roles that need no secret id
        return _perform(server, _approle_with(settings, role, ""))
    raise KamalError(f"Not logged in to Vault at {server.address}", hint=_how_to(settings))


def _approle(server: Server) -> Login | None:
    settings = server.settings
    role, secret = settings.get("auth/approle/role_id"), settings.get("auth/approle/secret_id")
    wrapped = settings.get("auth/approle/wrapped_secret_id")
    if not role or not (secret or wrapped):
        return None
    return _approle_with(settings, role, _unwrapped(server, wrapped) if wrapped else secret or "")


def _approle_with(settings: Settings, role: str, secret: str) -> Login:
    looked_at = ("auth/approle/role_id", "auth/approle/secret_id", "auth/approle/wrapped_secret_id")
    return Login(
        "AppRole",
        settings.get("auth/approle/mount") or "approle",
        {"role_id": role, "secret_id": secret},
        looked_at,
    )


def _unwrapped(server: Server, wrapped: str) -> str:
    answer = server.ask("POST", "sys/wrapping/unwrap", token=Sensitive(wrapped))
    if answer.status in {400, 403}:
        raise _used_up(server)
    server.check(answer, "sys/wrapping/unwrap", "sys/wrapping/unwrap")
    secret = data(answer).get("secret_id")
    if not isinstance(secret, str):
        raise not_understood()
    return hidden(secret).reveal()


def of_wrapped_secret_id(server: Server, wrapped: str) -> str:
    """Tell whether a wrapping token can still be used, without using it."""
    answer = server.ask("POST", "sys/wrapping/lookup", {"token": wrapped})
    if answer.status in {400, 403}:
        raise _used_up(server)
    server.check(answer, "sys/wrapping/lookup", "sys/wrapping/lookup")
    return "an AppRole, by a wrapped secret id that was not used yet"


def _used_up(server: Server) -> KamalError:
    where = server.settings.where("auth/approle/wrapped_secret_id")
    return KamalError(
        f"The wrapping token in {where} is not valid: it was used, or it expired",
        hint="if this is its first use, somebody else unwrapped it: revoke the secret id, then wrap a new one",
    )


def _jwt(server: Server) -> Login | None:
    settings = server.settings
    role, audience = settings.get("auth/jwt/role"), settings.get("auth/jwt/audience") or server.address
    token = id_token(settings, "auth/jwt/token", audience=audience) if role or settings.get("auth/jwt/token") else None
    if token is None:
        return None
    return Login(
        "JWT",
        settings.get("auth/jwt/mount") or "jwt",
        {"jwt": token.reveal(), **({"role": role} if role else {})},
        ("auth/jwt/role", "auth/jwt/mount"),
    )


def _kubernetes(server: Server) -> Login | None:
    settings = server.settings
    role, named = settings.get("auth/kubernetes/role"), settings.get("auth/kubernetes/token_file")
    if not role:
        return None
    try:
        token = Path(named or SERVICE_ACCOUNT).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        if not named:
            return None  # this is no pod
        problem = error.strerror if isinstance(error, OSError) else "it is no text"
        raise KamalError(
            f"The service account's token cannot be read from {named}: {problem}",
            hint=f"correct {settings.where('auth/kubernetes/token_file')}",
        ) from None
    hidden(token)
    return Login(
        "Kubernetes",
        settings.get("auth/kubernetes/mount") or "kubernetes",
        {"role": role, "jwt": token},
        ("auth/kubernetes/role", "auth/kubernetes/mount"),
    )


_METHODS: Final[tuple[Callable[[Server], Login | None], ...]] = (_approle, _jwt, _kubernetes)


def _perform(server: Server, login: Login) -> Token:
    mount = login.mount.strip("/")
    answer = server.ask("POST", f"auth/{mount}/login", login.body)
    if answer.status in {400, 403}:
        looked_at = ", ".join(server.settings.where(key) for key in login.look_at)
        raise KamalError(
            f"Vault refused the login with {login.method} at auth/{mount}: {_reason(login, errors(answer))}",
            hint=f"look at {looked_at} and {server.settings.where('namespace')}; "
            f"`vault read auth/{mount}/role/ROLE` shows what the role wants",
        )
    server.check(answer, f"auth/{mount}", f"auth/{mount}/login")
    token = issued(answer, f"the login with {login.method}")
    if token is None:
        raise not_understood()
    return token


# Reasons by the words of servers, which are not shown themselves: they could hold what was sent.
_REASONS: Final = (
    (r"role \"[^\"]*\" could not be found|invalid role name|missing role", "there is no such role"),
    (r"\(aud\)|audience", "the token is made for another audience than the role wants (`bound_audiences`)"),
    (r"\(iss\)", "the token has another issuer than the method wants (`bound_issuer`)"),
    (r"\(exp\)|token is expired", "the token has expired"),
    (r"\(nbf\)|\(iat\)|not yet valid", "the token is not valid yet: compare the clocks"),
    (r"signature", "the token is not signed with a key that the method knows"),
    (r"claim \"([\w./:-]{1,60})\"", "the token has another claim `{}` than the role wants (`bound_claims`)"),
    (r"namespace not authorized", "the role is not for the service account's namespace"),
    (r"service account name not authorized", "the role is not for this service account"),
    (r"could not load configuration", "the method has no configuration yet"),
)


def _reason(login: Login, reported: str) -> str:
    for pattern, reason in _REASONS:
        found = re.search(pattern, reported)
        if found is not None and not any(part in sent for part in found.groups() for sent in login.body.values()):
            return reason.format(*found.groups())
    if login.method == "AppRole":
        return "the role id or the secret id is wrong, expired or used up"
    if login.method == "Kubernetes":
        return "the cluster does not accept the service account's token, or the method is not mounted there"
    return "the token does not fit, or the method is not mounted there"


def _how_to(settings: Settings) -> str:
    by_hand = "set VAULT_TOKEN, or run `vault login`"
    if settings.get("auth/jwt/role"):
        return f"{how_to_get_one(settings, 'auth/jwt/token')}; elsewhere {by_hand}"
    if settings.get("auth/kubernetes/role"):
        where = settings.where("auth/kubernetes/token_file")
        return f"this is no pod with a service account: set {where}; elsewhere {by_hand}"
    return f"{by_hand}, or set VAULT_ROLE_ID and VAULT_SECRET_ID; docs/secrets.md has the ways for CI and Kubernetes"
