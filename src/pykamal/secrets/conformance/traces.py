"""Traces of values where none may be: in errors with all that led to them, and in arguments of processes."""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Final

_PIECE: Final = 8
"""So many characters in a row are a trace."""

_EXAMINED: Final = 2000
"""Characters at the beginning and at the end of a long value that are looked for."""


class Traces:
    """The pieces of values, as they are and in base64."""

    def __init__(self, values: Iterable[str | bytes]) -> None:
        self._pieces: set[str] = set()
        for value in values:
            content = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
            for end in (content[:_EXAMINED], content[-_EXAMINED:]):
                self._add(end.decode(errors="replace"), _PIECE)
                for start in range(3):
                    whole = (len(end) - start) // 3 * 3
                    self._add(b64encode(end[start : start + whole]).decode(), _PIECE * 2)

    def _add(self, text: str, length: int) -> None:
        self._pieces.update(text[start : start + length] for start in range(len(text) - length + 1))

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and any(piece in text for piece in self._pieces)


def texts_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield what an error shows, and each error that led to it, with the place: messages, attributes, traceback."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        place = "the error" if each is error else f"what led to the error, {type(each).__name__}"
        yield f"the message of {place}", str(each)
        yield f"repr() of {place}", repr(each)
        for name, attribute in {"args": each.args, **vars(each)}.items():
            yield f"`{name}` of {place}", attribute if isinstance(attribute, str) else repr(attribute)
        pending += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            pending += each.exceptions
    yield "the traceback", "".join(traceback.format_exception(error))
