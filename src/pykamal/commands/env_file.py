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
    lines = [f"{name}={'' if value is None else line_value(value)}\n" for name, value in pairs]
    return Sensitive("".join(lines) or "\n")


def line_value(value: str | Sensitive) -> str:
    """Return a value as it stands in an env file, which is also what the container gets."""
    return dumped(reveal(value)).replace('\\"', '"').replace("\\#", "#")
