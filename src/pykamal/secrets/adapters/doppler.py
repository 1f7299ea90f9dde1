"""Doppler by its program `doppler` (spec/cli.md 16.3)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.tool import OncePerRun, Tool, listed, value_of

_DOPPLER: Final = Tool("doppler", "Doppler CLI", "https://docs.doppler.com/docs/install-cli")
_SERVICE_PREFIX: Final = "dp.st"


class Doppler:
    needs_account: ClassVar[bool] = False
    credential_variables: ClassVar[Sequence[str]] = ("DOPPLER_TOKEN",)

    def __init__(self) -> None:
        self._logins: OncePerRun[bool] = OncePerRun()

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:  # noqa: ARG002 - the token is the account
        _DOPPLER.require()
        self._logins.get(os.environ.get("DOPPLER_TOKEN"), _login)
        names = with_source(secrets, source)
        message = f"Could not read {listed(names)} from Doppler"
        words = ["secrets", "get", *(name.rpartition("/")[2] for name in names), "--json", *_place(names)]
        answer = _DOPPLER.run(*words).expect(message, hint="see what there is: doppler secrets --only-names")
        values: dict[str, Sensitive | None] = {}
        for name, entry in answer.object(message).items():
            if not isinstance(entry, dict):
                raise answer.misunderstood(message, "has a secret without a value")
            values[name] = value_of(entry.get("computed"))
        return values

    def status(self, *, account: str | None) -> str | None:  # noqa: ARG002 - the token is the account
        _DOPPLER.require()
        message = "Not logged in to Doppler"
        hint = "set DOPPLER_TOKEN, or log in: doppler login"
        return _DOPPLER.run("me", "--json", quiet=True).expect(message, hint=hint).field(message, "name")


def _login() -> bool:
    if not _DOPPLER.run("me", "--json", quiet=True).ok:
        _DOPPLER.run("login", "-y", login=True).expect(
            "Failed to login to Doppler", hint="set DOPPLER_TOKEN, or log in by hand: doppler login"
        )
    return True


def _place(names: Sequence[str]) -> list[str]:
    """The options for project and config, which a service token has in itself."""
    if os.environ.get("DOPPLER_TOKEN", "").startswith(_SERVICE_PREFIX):
        return []
    project, config, *_ = [*"".join(names[:1]).split("/"), "", ""]
    if not project or not config:
        raise KamalError(
            "Missing project or config from '--from=project/config' option",
            hint="give --from PROJECT/CONFIG, or set DOPPLER_TOKEN to a service token",
        )
    return ["-p", project, "-c", config]


ADAPTER: Final[Adapter] = Doppler()
