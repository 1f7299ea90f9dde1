"""The file of users and password hashes that the proxy reads (x-pykamal/proxy/basic_auth)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pykamal.commands import host_files, proxy_files, proxy_flags
from pykamal.commands.script import Step
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive, encoded
from pykamal.operations.context import Context

_HASH: Final = re.compile(r"\$(?:2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|(?:5|6|7|y|gy)\$[ -~]+)")
"""The forms of crypt(5) that are still good for anything."""

_OTHER_HASH: Final = re.compile(r"(?:\$(?:1|2[abxy]?|apr1|md5|sha1)\$|\{S?SHA\d*\}).*", re.DOTALL)
"""Hashes that `htpasswd` and others write unless told otherwise, and pieces of good ones; as a password nobody's."""

_COST: Final = 10
_LONGEST_PASSWORD: Final = 72  # bytes; bcrypt sees no more


def users_steps(context: Context) -> Sequence[Step]:
    """Write the users' file; nothing without users. Raises `SecretNotFound`, `KamalError` for what is no password."""
    if not context.config.extension.proxy.users:
        return ()
    path = proxy_flags.users_file(context.config)
    directory = path.rpartition("/")[0]
    text = Sensitive("".join(f"{name}:{digest}\n" for name, digest in _users(context)))
    return (
        Step("make users directory", proxy_files.make_directory(directory)),
        Step("let proxy read users", proxy_files.grant(directory)),
        Step("write users", host_files.write(path, text, proxy_files.FILE_MODE)),
    )


def _users(context: Context) -> Iterator[tuple[str, str]]:
    for name, secret in context.config.extension.proxy.users.items():
        yield name, _digest(context.secrets[secret].reveal(), secret)


def _digest(value: str, secret: str) -> str:
    """A hash stays as it is; a password is hashed here, and does not leave this machine."""
    if _HASH.fullmatch(value):
        return value
    if _OTHER_HASH.fullmatch(value):
        raise KamalError(
            f"The secret {secret} is a hash that basic_auth cannot use: its kind is too weak, or it is incomplete",
            hint="give the password itself, or a hash as `htpasswd -B` writes it; single quotes keep its dollar signs",
        )
    password = encoded(value)
    if not password or len(password) > _LONGEST_PASSWORD or b"\0" in password or "\n" in value:
        raise KamalError(
            f"The secret {secret} is no password for basic_auth",
            hint=f"it should be one line of at most {_LONGEST_PASSWORD} bytes, or a hash as `htpasswd -B` writes it",
        )
    import bcrypt

    return bcrypt.hashpw(password, bcrypt.gensalt(_COST)).decode()
