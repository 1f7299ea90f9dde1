"""Values that must reach a server but never a log, an error, a plan or a traceback."""

from __future__ import annotations

from typing import Final

REDACTED: Final = "[REDACTED]"


class Sensitive:
    """A secret text. `str()`, `repr()` and `format()` show `[REDACTED]`; `reveal()` alone gives the text.

    Equality and hash use the text, so values can be compared and de-duplicated without being shown.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself. Call it only where bytes leave for a process or a connection."""
        return self._text

    def __str__(self) -> str:
        return REDACTED

    def __repr__(self) -> str:
        return f"Sensitive({REDACTED})"

    def __format__(self, spec: str) -> str:
        return format(REDACTED, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sensitive) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Sensitive, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> tuple[type[Sensitive], tuple[str]]:
        # Pickle would write the secret to wherever the pickle goes.
        raise TypeError("a Sensitive value cannot be pickled")


def encoded(text: str) -> bytes:
    """The bytes of a text that leaves for a process or a host; what was no UTF-8 when it was read is as it was."""
    return text.encode("utf-8", "surrogateescape")


def reveal(value: str | Sensitive) -> str:
    """The real text of a value that may or may not be secret."""
    return value.reveal() if isinstance(value, Sensitive) else value
