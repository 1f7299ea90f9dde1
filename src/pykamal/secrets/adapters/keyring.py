"""The keyring of the operating system by the library keyring (docs/secrets.md): macOS, GNOME, KDE, Windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.extras import import_extra
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account, with_source


class Keyring:
    needs_account: ClassVar[bool] = False

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("keyring", account)
        names = {name: _split(name) for name in with_source(secrets, source)}
        return {name: _value(service, username) for name, (service, username) in names.items()}


def _split(name: str) -> tuple[str, str]:
    service, separator, username = name.partition("#") if "#" in name else name.rpartition("/")
    if not service or not separator or not username:
        raise KamalError(f"{name} names no password in the keyring", hint="write SERVICE/USERNAME, or SERVICE#USERNAME")
    return service, username


def _value(service: str, username: str) -> Sensitive:
    keyring = import_extra("keyring", extra="keyring")
    errors = import_extra("keyring.errors", extra="keyring")
    try:
        password = keyring.get_password(service, username)
    except errors.NoKeyringError:
        raise KamalError(
            "This machine has no keyring that can be used",
            hint="on Linux it takes a session with GNOME Keyring or KWallet; a CI has none: use another adapter",
        ) from None
    except errors.KeyringLocked:
        raise KamalError(
            "The keyring is locked", hint="unlock it in the desktop session; without one nobody can be asked"
        ) from None
    except Exception as error:  # each keyring has errors of its own
        raise KamalError(
            f"The keyring gave no password for {username} of {service}",
            details=(type(error).__name__,),  # its text may be anything
            hint=f"see what it says: keyring get {service} {username}",
        ) from None
    if password is None:
        raise KamalError(
            f"The keyring has no password for {username} of {service}", hint=f"keyring set {service} {username}"
        )
    return Sensitive(str(password))


ADAPTER: Final[Adapter] = Keyring()
