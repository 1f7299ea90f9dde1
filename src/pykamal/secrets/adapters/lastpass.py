"""LastPass by its program `lpass` (spec/cli.md 16.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.tool import Tool, listed, value_of

_LPASS: Final = Tool("lpass", "LastPass CLI", "https://github.com/lastpass/lastpass-cli")


class LastPass:
    needs_account: ClassVar[bool] = True

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        assert account is not None
        _LPASS.require()
        _login(account)
        names = with_source(secrets, source)
        message = f"Could not read {listed(names)} from LastPass"
        answer = _LPASS.run("show", *names, "--json").expect(message, hint="see what there is: lpass ls")
        values = {str(each.get("fullname")): value_of(each.get("password")) for each in answer.objects(message)}
        missing = [name for name in names if name not in values]
        if missing:
            raise KamalError(
                f"Could not find {', '.join(missing)} in LastPass",
                hint="names have their folder in front, as `lpass ls` lists them",
            )
        return values

    def status(self, *, account: str | None) -> str | None:
        _LPASS.require()
        printed = _LPASS.run("status", "--color", "never", quiet=True).text().reveal()
        known = printed.removeprefix("Logged in as ")
        if known == printed or (account is not None and f"{account}." != known):
            raise KamalError("Not logged in to LastPass", hint=f"log in: lpass login {account or 'USER'}")
        return known.removesuffix(".")


def _login(account: str) -> None:
    status = _LPASS.run("status", "--color", "never", quiet=True)
    if status.text().reveal() != f"Logged in as {account}.":
        _LPASS.run("login", account, login=True).expect(
            "Failed to login to LastPass", hint=f"check the account, and log in by hand: lpass login {account}"
        )


ADAPTER: Final[Adapter] = LastPass()
