"""The functions of SecureRandom."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any, Final

from pykamal.erb.errors import RubyError, Unsupported
from pykamal.erb.values import inspected

_LONGEST_RANDOM: Final = 4096
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _length(count: Any, default: int) -> int:
    length = default if count is None else count
    if not isinstance(length, int) or not 0 <= length <= _LONGEST_RANDOM:
        raise RubyError(f"a random text of {inspected(count)} bytes", "ArgumentError")
    return length


def _random_number(most: Any = 0) -> Any:
    if isinstance(most, int) and most > 0:
        return secrets.randbelow(most)
    raise Unsupported("a random number without a whole limit")


def _alphanumeric(count: Any = None) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(_length(count, 16)))


def _uuid() -> str:
    import uuid

    return str(uuid.uuid4())


FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("SecureRandom", "hex"): lambda count=None: secrets.token_hex(_length(count, 16)),
    ("SecureRandom", "uuid"): _uuid,
    ("SecureRandom", "alphanumeric"): _alphanumeric,
    ("SecureRandom", "base64"): lambda count=None: base64.b64encode(secrets.token_bytes(_length(count, 16))).decode(),
    ("SecureRandom", "urlsafe_base64"): lambda count=None: secrets.token_urlsafe(_length(count, 16)),
    ("SecureRandom", "random_number"): _random_number,
}
