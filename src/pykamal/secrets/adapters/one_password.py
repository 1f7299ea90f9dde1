"""1Password by its program `op` (spec/cli.md 16.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.tool import Answer, OncePerRun, Tool, value_of
from pykamal.secrets.credentials import hidden

_OP: Final = Tool("op", "1Password CLI", "https://developer.1password.com/docs/cli/get-started")
_SCHEME: Final = "op://"
_EXPORT: Final = re.compile(r"export (OP_SESSION_\w+)=[\"']?([^\"'\s]+)")

Session: TypeAlias = Mapping[str, Sensitive]
"""The variables that a login leaves for later calls; none where the program's own session is used."""


class OnePassword:
    needs_account: ClassVar[bool] = True
    credential_variables: ClassVar[Sequence[str]] = ("OP_SERVICE_ACCOUNT_TOKEN", "OP_CONNECT_TOKEN", "OP_SESSION_*")

    def __init__(self) -> None:
        self._sessions: OncePerRun[Session] = OncePerRun()

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        assert account is not None
        _OP.require()
        session = self._sessions.get(account, lambda: _login(account))
        if not secrets:
            return _whole_item(source or "", account, session)
        values: dict[str, Sensitive | None] = {}
        for (vault, item), fields in _grouped(with_source(secrets, source)).items():
            message = f"Could not read {', '.join(fields)} from {item} in the {vault} 1Password vault"
            answer = _read(vault, item, account, session, message=message, fields=fields)
            found = [answer.object(message)] if len(fields) == 1 else answer.objects(message)
            values.update(_values(found, answer, message))
        return values

    def status(self, *, account: str | None) -> str | None:
        _OP.require()
        words = ("--account", account) if account else ()
        message, hint = "Not signed in to 1Password", "sign in (`op signin`), or set OP_SERVICE_ACCOUNT_TOKEN in CI"
        answer = _OP.run("whoami", *words, "--format", "json", quiet=True).expect(message, hint=hint)
        return answer.field(message, "email") or answer.field(message, "user_uuid")


def _login(account: str) -> Session:
    if _OP.run("account", "get", "--account", account, quiet=True).ok:
        return {}
    message = "Failed to login to 1Password"
    hint = f"check the account's name with `op account list`, and sign in by hand: op signin --account {account}"
    # Without --raw, the answer names the variable for the session; with --session it would be in the process list.
    printed = _OP.run("signin", "--account", account, "--force", login=True).expect(message, hint=hint).text().reveal()
    found = _EXPORT.search(printed)
    if found is None and printed:
        raise KamalError(message, details=("op signin did not print `export OP_SESSION_...=...`",), hint=hint)
    return {found[1]: hidden(found[2])} if found else {}


def _grouped(secrets: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """The fields to read of each item, by vault and item; vaults and items are in order of appearance."""
    vaults: dict[str, dict[str, list[str]]] = {}
    for secret in secrets:
        vault, item, fields = _parts(secret)
        vaults.setdefault(vault, {}).setdefault(item, []).append(".".join(fields or ["password"]))
    return {(vault, item): fields for vault, items in vaults.items() for item, fields in items.items()}


def _parts(reference: str) -> tuple[str, str, list[str]]:
    vault, _, rest = reference.removeprefix(_SCHEME).partition("/")
    item, *fields = rest.split("/")
    if not vault or not item:
        raise KamalError(
            f"1Password needs a vault and an item: {reference}",
            hint="name secrets as vault/item/field, or give --from vault/item",
        )
    return vault, item, [field for field in fields if field]


def _whole_item(source: str, account: str, session: Session) -> Values:
    vault, item, _ = _parts(source)
    message = f"Could not read from {item} in the {vault} 1Password vault"
    answer = _read(vault, item, account, session, message=message)
    fields = answer.object(message).get("fields")
    if not isinstance(fields, list):
        raise answer.misunderstood(message, "has no fields")
    return _values(fields, answer, message)


def _read(vault: str, item: str, account: str, session: Session, *, message: str, fields: Sequence[str] = ()) -> Answer:
    words = ["item", "get", item, "--vault", vault, "--format", "json", "--account", account]
    if fields:
        words += ["--fields", ",".join(f"label={field}" for field in fields)]
    hint = f"see what there is: op item get {item} --vault {vault} --account {account}"
    return _OP.run(*words, environment=session).expect(message, hint=hint)


def _values(fields: Sequence[Any], answer: Answer, message: str) -> Values:
    values: dict[str, Sensitive | None] = {}
    for field in fields:
        reference = field.get("reference") if isinstance(field, dict) else None
        if not isinstance(reference, str):
            raise answer.misunderstood(message, "has a field without a reference")
        values[reference.removeprefix(_SCHEME).removesuffix("/password")] = value_of(field.get("value"))
    return values


ADAPTER: Final[Adapter] = OnePassword()
