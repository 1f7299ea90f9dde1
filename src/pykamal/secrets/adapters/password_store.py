"""The password store by its program `pass` (docs/secrets.md): GPG files, the first line of which is the password."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters import documents
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account, with_source
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.tool import OncePerRun, Tool

_PASS: Final = Tool("pass", "pass", "https://www.passwordstore.org", ("version",))

SETTINGS: Final = (Setting("store", "the folder of the store", ("PASSWORD_STORE_DIR",)),)

_ALL: Final = "*"


class PasswordStore:
    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._entries: OncePerRun[Sensitive] = OncePerRun()

    def configured(self, settings: Settings) -> PasswordStore:
        return PasswordStore(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("pass", account)
        _PASS.require()
        return {name: self._value(name) for name in with_source(secrets, source)}

    def _value(self, name: str) -> Sensitive:
        entry, _, field = name.partition("#")
        text = self._entries.get(entry, lambda: self._read(entry)).reveal()
        first, _, others = text.partition("\n")
        if field == _ALL:
            return Sensitive(text)
        if not field:
            return Sensitive(first)
        for line in others.splitlines():
            label, colon, value = line.partition(":")
            if colon and label.strip() == field:
                return Sensitive(value.strip())
        raise KamalError(
            f"{entry} in pass has no field {field}",
            hint=f"a field is a line `{field}: VALUE` below the first one: pass edit {entry}",
        )

    def _read(self, entry: str) -> Sensitive:
        store = documents.expanded(self._settings.get("store") or "~/.password-store")
        # Asked for a folder, pass prints its tree and succeeds.
        if not entry or "\0" in entry or not Path(store, f"{entry}.gpg").is_file():
            raise KamalError(f"pass has no entry {entry}", hint=f"`pass ls` shows what there is; the store is {store}")
        answer = _PASS.run("show", "--", entry, environment={"PASSWORD_STORE_DIR": str(store)})
        answer.expect(
            f"pass could not decrypt {entry}",
            hint="its GPG key is missing here, or is locked and nobody could be asked for the passphrase: "
            f"`pass show {entry}` by hand unlocks it for a while (in a terminal after: export GPG_TTY=$(tty))",
        )
        return documents.whole(documents.bounded(answer.ended.output, entry))


ADAPTER: Final[Adapter] = PasswordStore()
