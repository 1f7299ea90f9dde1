"""The credentials of secret managers: tokens, passwords, keys of sessions. All output hides those that are known."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from pykamal.core.sensitive import Sensitive

_KNOWN: Final[dict[Sensitive, None]] = {}
_LOCK: Final = threading.Lock()


def hidden(credential: str) -> Sensitive:
    """Return a credential as a secret, which all output of this process hides from now on.

    Whatever an adapter logs in with, and whatever a login gives it, passes through here.
    """
    secret = Sensitive(credential)
    if credential:
        with _LOCK:
            _KNOWN[secret] = None
    return secret


def hide_variables(names: Iterable[str], environment: Mapping[str, str] = os.environ) -> None:
    """Hide the values of variables from now on. A name may end in `*`, for all that begin so."""
    for pattern in names:
        for name in [each for each in environment if fnmatchcase(each, pattern)]:
            hidden(environment[name])


def known_credentials() -> tuple[Sensitive, ...]:
    """Return the credentials that are known so far."""
    with _LOCK:
        return tuple(_KNOWN)
