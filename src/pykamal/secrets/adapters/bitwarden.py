"""Bitwarden's password manager by its program `bw` (spec/cli.md 16.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.tool import OncePerRun, Tool, value_of
from pykamal.secrets.credentials import hidden

_BW: Final = Tool("bw", "Bitwarden CLI", "https://bitwarden.com/help/cli/")

Session: TypeAlias = Mapping[str, Sensitive]
"""The variables of an unlocked vault; none where it was unlocked before."""


class Bitwarden:
    needs_account: ClassVar[bool] = True
    credential_variables: ClassVar[Sequence[str]] = ("BW_SESSION", "BW_PASSWORD", "BW_CLIENTSECRET")

    def __init__(self) -> None:
        self._sessions: OncePerRun[Session] = OncePerRun()

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        assert account is not None
        _BW.require()
        session = self._sessions.get(account, lambda: _unlocked(account))
        wanted: dict[str, list[str | None]] = {}
        for secret in with_source(secrets, source):
            item, *fields = secret.split("/")
            wanted.setdefault(item, []).append(fields[0] if fields else None)
        values: dict[str, Sensitive | None] = {}
        for item, names in wanted.items():
            message = f"Could not read {item} from Bitwarden"
            answer = _BW.run("get", "item", item, environment=session)
            found = answer.expect(message, hint=f"see what there is: bw list items --search {item}").object(message)
            for name in dict.fromkeys(names):
                values.update(_whole(item, found) if name is None else {f"{item}/{name}": _field(item, found, name)})
        return values

    def status(self, *, account: str | None) -> str | None:  # noqa: ARG002 - bw has one account
        _BW.require()
        message = "Not logged in to Bitwarden"
        answer = _BW.run("status", quiet=True).expect(message, hint="run `bw status` to see what it says")
        if answer.field(message, "status") not in ("locked", "unlocked"):
            raise KamalError(message, hint="log in with `bw login`, in CI with `bw login --apikey`")
        locked = " (locked)" if answer.field(message, "status") == "locked" else ""
        return f"{answer.field(message, 'userEmail') or 'an account'}{locked}"


def _unlocked(account: str) -> Session:
    """Log in, unlock and synchronise."""
    session: Session = {}
    message = "Failed to login to and unlock Bitwarden"
    status = _status(session, message)
    if status == "unauthenticated":
        _BW.run("login", account, login=True)
        status = _status(session, message)
    if status == "locked":
        token = _BW.run("unlock", "--raw", login=True).text()
        hidden(token.reveal())
        session = {"BW_SESSION": token} if token else {}
        status = _status(session, message)
    if status != "unlocked":
        raise KamalError(
            message,
            details=(f"bw status says {status}",),
            hint="check the account and the password; in CI, log in with `bw login --apikey` and set BW_SESSION to "
            "what `bw unlock --raw --passwordenv VARIABLE` prints",
        )
    _BW.run("sync", environment=session).expect("Failed to sync Bitwarden", hint="run `bw sync` to see what it says")
    return session


def _status(session: Session, message: str) -> str:
    return str(_BW.run("status", environment=session).object(message).get("status"))


def _whole(item: str, found: Mapping[str, Any]) -> Values:
    """The password of a login, else all fields."""
    login = found.get("login")
    if isinstance(login, dict) and login.get("password") is not None:
        return {item: value_of(login["password"])}
    names = [each["name"] for each in _fields(found) if isinstance(each.get("name"), str)]
    if not names:
        raise KamalError(
            f"Item {item} is not a login type item and no fields were specified",
            hint=f"name a field, as in {item}/FIELD",
        )
    return {f"{item}/{name}": _field(item, found, name) for name in names}


def _field(item: str, found: Mapping[str, Any], name: str) -> Sensitive | None:
    for each in _fields(found):
        if each.get("name") == name:
            return value_of(each.get("value"))
    known = ", ".join(str(each.get("name")) for each in _fields(found))
    raise KamalError(
        f"Could not find field {name} in item {item} in Bitwarden",
        hint=f"its custom fields are {known}" if known else f"it has no custom fields; {item} alone is its password",
    )


def _fields(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    fields = found.get("fields")
    return [each for each in fields if isinstance(each, dict)] if isinstance(fields, list) else []


ADAPTER: Final[Adapter] = Bitwarden()
