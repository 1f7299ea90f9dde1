"""Flags such as `--build-arg NAME`, whose value the program finds in its environment.

Other users of the machine see the arguments of every process, and the environment of none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pykamal.commands.words import Expanded, Word, key_values, text_of
from pykamal.core.sensitive import Sensitive

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Matches the names that a shell can assign to."""

_OBEYED: Final = re.compile(
    r"PATH|HOME|PWD|OLDPWD|IFS|ENV|PS4|UID|EUID|PPID|GROUPS|TMPDIR|SSH_AUTH_SOCK|SHELLOPTS|POSIXLY_CORRECT"
    r"|BASHOPTS|(BASH|LD|DYLD|XDG|BUILDX)_.*|GODEBUG|GOTRACEBACK|GOMAXPROCS|SSL_CERT_(FILE|DIR)"
    r"|DOCKER_(HOST|CONFIG|CONTEXT|TLS|TLS_VERIFY|CERT_PATH|API_VERSION|DEFAULT_PLATFORM|BUILDKIT|CONTENT_TRUST.*|CLI_.*)"
    r"|BUILDKIT_(HOST|PROGRESS|COLORS|NO_CLIENT_TOKEN)"
)
"""Names that the shell and the local programs themselves obey: they stay arguments, and hold no secrets."""

_PROXY: Final = re.compile(r"(http|https|ftp|all|no)_proxy", re.IGNORECASE)
"""Obeyed as well, so only addresses with a password (`@`) are kept out of the arguments."""


def environment_flags(flag: str, values: Mapping[str, object]) -> tuple[list[Word], dict[str, Word]]:
    """`FLAG NAME` for each value, and the variables for `Command.with_environment`.

    What stays an argument, as a value that is false or missing, is as `key_values` writes it, and not shown.
    """
    words: list[Word] = []
    variables: dict[str, Word] = {}
    for name, value in values.items():
        given = value is not None and value is not False
        text = Sensitive(text_of(value) if given else "")
        if given and _goes_by_environment(name, text.reveal()):
            words += [flag, name]
            variables[name] = Expanded(text)
        else:
            words += key_values(flag, {name: text if given else value})
    return words, variables


def _goes_by_environment(name: str, text: str) -> bool:
    if not text.strip():
        return False
    if _PROXY.fullmatch(name):
        return "@" in text
    return _NAME.fullmatch(name) is not None and _OBEYED.fullmatch(name) is None
