"""Enpass by the program `enpass-cli` (spec/cli.md 16.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Values
from pykamal.secrets.adapters.tool import Tool, listed, value_of

_ENPASS: Final = Tool("enpass-cli", "Enpass CLI", "https://github.com/HazCod/enpass-cli", ("version",))


class Enpass:
    needs_account: ClassVar[bool] = False
    credential_variables: ClassVar[Sequence[str]] = ("ENPASS_MASTERPW", "MASTERPW", "ENP_PIN")

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:  # noqa: ARG002 - a vault is a folder
        _ENPASS.require()
        if not source:
            raise KamalError(
                "Enpass needs the path of a vault", hint="give it with --from, as in --from ~/Enpass/Vault"
            )
        titles = dict.fromkeys(name.rpartition("/")[0] or name for name in secrets)
        message = f"Could not read {listed(list(secrets))} from Enpass"
        answer = _ENPASS.run("-json", "-vault", source, "show", *titles)
        answer.expect(message, hint="check the path of the vault and its password (ENPASS_MASTERPW, or typed)")
        values: dict[str, Sensitive | None] = {}
        for item in answer.objects(message):
            title, label, password = (_text(item.get(name)) for name in ("title", "label", "password"))
            if not title or not password.strip():
                continue
            key = "/".join(part for part in (title, label) if part)
            if title in secrets or key in secrets:
                if key in values:
                    raise KamalError(f"{key} is present more than once", hint="give the items of the vault other names")
                values[key] = value_of(password)
        return values


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


ADAPTER: Final[Adapter] = Enpass()
