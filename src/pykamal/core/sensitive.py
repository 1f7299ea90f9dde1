"""Secret values: they reach servers, and never a log, an error, a plan or a traceback."""

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
        """Return the secret text. Call it only where bytes leave for a process or a connection."""
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
    """Encode a text for a process or a host; bytes that were not UTF-8 when they were read are restored."""
    return text.encode("utf-8", "surrogateescape")


def reveal(value: str | Sensitive) -> str:
    """Return the text of a value that may be secret."""
    return value.reveal() if isinstance(value, Sensitive) else value
