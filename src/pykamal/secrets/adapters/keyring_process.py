"""The process that asks the keyring, for the adapter `keyring`: a prompt that nobody answers ends with it.

It reads a question from standard input and writes the answer to standard output, both in JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Final

import keyring
from keyring import errors

LOCKED: Final = "locked"
NO_KEYRING: Final = "no keyring"
NO_PASSWORD: Final = "no password"  # noqa: S105 - a word of the answer


def main() -> int:
    """Answer one question: the passwords of services and user names, or the name of the keyring without any."""
    question: list[tuple[str, str]] = json.load(sys.stdin)
    answer = _answer(lambda: {"values": _values(question)} if question else {"name": _name()})
    sys.stdout.write(json.dumps(answer))
    return 0


class _Missing(Exception):
    """The keyring has no password for one of the names."""


def _answer(find_out: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return find_out()
    except errors.NoKeyringError:
        return {"problem": NO_KEYRING}
    except errors.KeyringLocked:
        return {"problem": LOCKED}
    except _Missing as missing:
        return {"problem": NO_PASSWORD, "place": missing.args[0]}
    except Exception as error:  # each keyring has errors of its own, whose text may be anything
        return {"problem": type(error).__name__}


def _values(question: list[tuple[str, str]]) -> list[str]:
    values = []
    for place, (service, username) in enumerate(question):
        found = keyring.get_password(service, username)
        if found is None:
            raise _Missing(place)
        values.append(str(found))
    return values


def _name() -> str:
    found = keyring.get_keyring()
    if type(found).__module__ == "keyring.backends.fail":
        raise errors.NoKeyringError
    if type(found).__module__ == "keyring.backends.SecretService" and _is_locked(found):
        raise errors.KeyringLocked
    return str(found.name)


def _is_locked(secret_service: object) -> bool:
    """Tell that the Secret Service is locked, without asking anybody to unlock it."""
    with suppress(Exception):  # then it is not known
        library = sys.modules[type(secret_service).__module__].secretstorage  # which keyring brings for it
        with closing(library.dbus_init()) as bus:
            return bool(library.get_any_collection(bus).is_locked())
    return False


if __name__ == "__main__":
    sys.exit(main())
