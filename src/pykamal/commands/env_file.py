"""Encodes env files on servers (spec/config.md 18.6, spec/cli.md 3.4)."""

from __future__ import annotations

from collections.abc import Iterable

from pykamal.commands.words import dumped
from pykamal.core.sensitive import Sensitive, reveal


def encode(pairs: Iterable[tuple[str, str | Sensitive | None]]) -> Sensitive:
    """One `NAME=VALUE` line a pair, each value on one physical line; a single newline when there are none.

    Docker does not unquote these files, so quotes and `#` stay as they are and only control characters and backslashes
    are escaped.
    """
    lines = [f"{name}={_value(value)}\n" for name, value in pairs]
    return Sensitive("".join(lines) or "\n")


def _value(value: str | Sensitive | None) -> str:
    return "" if value is None else dumped(reveal(value)).replace('\\"', '"').replace("\\#", "#")
