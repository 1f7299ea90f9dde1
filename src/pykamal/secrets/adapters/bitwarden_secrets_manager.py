"""Bitwarden Secrets Manager by its program `bws` (spec/cli.md 16.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, RenamedValues, Values, with_source
from pykamal.secrets.adapters.tool import Answer, Tool, value_of

_BWS: Final = Tool(
    "bws", "Bitwarden Secrets Manager CLI", "https://bitwarden.com/help/secrets-manager-cli/#download-and-install"
)
_ALL: Final = "all"


class BitwardenSecretsManager:
    needs_account: ClassVar[bool] = False
    credential_variables: ClassVar[Sequence[str]] = ("BWS_ACCESS_TOKEN",)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:  # noqa: ARG002 - the token is the account
        _BWS.require()
        _require_token()
        if not secrets:
            raise KamalError(
                "You must specify what to retrieve from Bitwarden Secrets Manager",
                hint="give the ids of secrets, `all`, or PROJECT-ID/all",
            )
        names = with_source(secrets, source)
        if len(names) == 1 and (names[0] == _ALL or names[0].endswith(f"/{_ALL}")):
            return _list(names[0].removesuffix(_ALL).removesuffix("/"))
        values: dict[str, Sensitive | None] = {}
        by_id: dict[str, Sensitive | None] = {}
        for name in names:
            message = f"Could not read {name} from Bitwarden Secrets Manager"
            answer = _BWS.run("secret", "get", name).expect(message, hint="see what there is: bws secret list")
            entry = _entry(answer.object(message), answer, message)
            values.update(entry)
            by_id[name] = next(iter(entry.values()))
        return RenamedValues(values, by_id)

    def status(self, *, account: str | None) -> str | None:  # noqa: ARG002 - the token is the account
        _BWS.require()
        _require_token(quiet=True)
        return None


def _require_token(*, quiet: bool = False) -> None:
    _BWS.run("project", "list", quiet=quiet).expect(
        "Could not authenticate to Bitwarden Secrets Manager. Did you set a valid access token?",
        hint="set BWS_ACCESS_TOKEN to the access token of a machine account",
    )


def _list(project: str) -> Values:
    message = "Could not read secrets from Bitwarden Secrets Manager"
    answer = _BWS.run("secret", "list", *([project] if project else ()))
    answer.expect(message, hint="see which projects there are: bws project list")
    values: dict[str, Sensitive | None] = {}
    for found in answer.objects(message):
        values.update(_entry(found, answer, message))
    return values


def _entry(found: dict[str, Any], answer: Answer, message: str) -> Values:
    if not isinstance(found.get("key"), str):
        raise answer.misunderstood(message, "has a secret without a key")
    return {found["key"]: value_of(found.get("value"))}


ADAPTER: Final[Adapter] = BitwardenSecretsManager()
