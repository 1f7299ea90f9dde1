"""Implements `puts`, `print`, `p` and others, also of `$stdout` and `$stderr`. Their text is not rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pykamal.erb.values import Method, inspected, text


@dataclass(frozen=True, slots=True)
class Stream:
    CLASS: ClassVar[str] = "IO"

    write: Callable[[str], None]


def lines(*values: Any) -> str:
    """Return each value with one line end, like `puts`; a list counts as its items."""
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return "".join(text(each).removesuffix("\n") + "\n" for each in flat) or "\n"


def shown(*values: Any) -> str:
    """Return the output of `p`."""
    return "".join(f"{inspected(value)}\n" for value in values)


STREAM_METHODS: Final[dict[str, Method]] = {
    "puts": lambda stream, *values: stream.write(lines(*values)),
    "print": lambda stream, *values: stream.write("".join(map(text, values))),
    "write": lambda stream, *values: stream.write("".join(map(text, values))),
    "flush": lambda stream: stream,
}
