"""The keyring of the operating system by the library keyring (docs/secrets.md): macOS, GNOME, KDE, Windows."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pykamal.core.answers import json_object
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.extras import require_extra
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account, with_source
from pykamal.secrets.adapters.tool import SECONDS_VARIABLE, time_limit
from pykamal.transport.program import run_program

_PROCESS: Final = "pykamal.secrets.adapters.keyring_process"


class Keyring:
    needs_account: ClassVar[bool] = False

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("keyring", account)
        names = {name: _split(name) for name in with_source(secrets, source)}
        values = _ask([*names.values()]).get("values", []) if names else []
        return {name: Sensitive(value) for name, value in zip(names, values, strict=True)}

    def status(self, *, account: str | None) -> str | None:  # noqa: ARG002 - a keyring has no account
        name = _ask([]).get("name")
        return name if isinstance(name, str) else None


def _split(name: str) -> tuple[str, str]:
    service, separator, username = name.partition("#") if "#" in name else name.rpartition("/")
    if not service or not separator or not username:
        raise KamalError(f"{name} names no password in the keyring", hint="write SERVICE/USERNAME, or SERVICE#USERNAME")
    return service, username


def _ask(question: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    """Ask the keyring in a process of its own, which can be ended: a locked one may wait for a person for ever."""
    require_extra("keyring", extra="keyring")
    limit = time_limit()
    words = [sys.executable, "-P", "-m", _PROCESS]  # -P, or modules of the working directory would come first
    try:
        ended = run_program(words, stdin=Sensitive(json.dumps(question)), seconds=limit)
    except TimeoutError:
        raise KamalError(
            f"The keyring did not answer within {limit:g} seconds",
            hint="it is likely to be locked and to ask for its password in a window: unlock it in the desktop session; "
            f"{SECONDS_VARIABLE}=N gives it more time",
        ) from None
    answer = json_object(ended.output.decode(errors="replace"))
    if not answer:
        raise KamalError(
            "The keyring cannot be asked",
            details=(f"the process that asks it ended with status {ended.status}",),
            hint="see whether its library can be imported: python -m keyring diagnose",
        )
    if (problem := answer.get("problem")) is not None:
        raise _refused(str(problem), *question[answer.get("place", 0) :][:1])
    return answer


def _refused(problem: str, place: tuple[str, str] = ("", "")) -> KamalError:
    service, username = place
    match problem:
        case "no keyring":
            return KamalError(
                "This machine has no keyring that can be used",
                hint="on Linux it takes a session with GNOME Keyring or KWallet; a CI has none: use another adapter",
            )
        case "locked":
            return KamalError(
                "The keyring is locked", hint="unlock it in the desktop session; without one nobody can be asked"
            )
        case "no password":
            return KamalError(
                f"The keyring has no password for {username} of {service}", hint=f"keyring set {service} {username}"
            )
    return KamalError(
        f"The keyring gave no password for {username} of {service}" if username else "The keyring cannot be used",
        details=(problem,),
        hint=f"see what it says: keyring get {service} {username}" if username else "see what `keyring diagnose` says",
    )


ADAPTER: Final[Adapter] = Keyring()
