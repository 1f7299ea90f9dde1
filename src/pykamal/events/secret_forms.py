"""The forms in which a program may print a secret, and where they stand in a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pykamal.core.printable import printable
from pykamal.core.sensitive import REDACTED, Sensitive, encoded
from pykamal.events.secret_encodings import (
    CHARACTER_CLASSES,
    LONG_LINE,
    PEM_BOUNDARY,
    SHORTEST_WRAPPED,
    STANDARD_BASE64,
    Base64Text,
    Span,
    base64_forms,
    common_parts,
    written_forms,
)
from pykamal.events.secret_search import Beginnings, SampleTable, Sought

SHORTEST: Final = 6
"""Characters; shorter values (`true`, `3306`) are words that mean other things too."""

CONTEXT: Final = 80
"""How many characters before a text tell whether its first line is a line of wrapped base64."""


class SecretForms:
    """The texts to search for: each line of each secret, plain and encoded, and the base64 of the whole.

    No form has a line break in it. Values and lines shorter than `SHORTEST` are none, nor are the boundaries of PEM.
    """

    def __init__(self, secrets: Iterable[Sensitive]) -> None:
        texts = {secret.reveal().strip() for secret in secrets}
        shown = texts | {encoded(text).decode("utf-8", "replace") for text in texts}  # as output is decoded
        lines = {printable(line).strip() for text in shown for line in text.splitlines()}
        lines = {line for line in lines if not PEM_BOUNDARY.fullmatch(line)}
        of_base64 = _long_enough(form for text in texts for form in base64_forms(text))
        written = [_long_enough(written_forms(line)) for line in lines]
        self._table = SampleTable(
            [Sought(forms, common_parts(forms)) for forms in written if forms]
            + [Sought((form,), (form.encode(),), in_base64=True) for form in of_base64]
        )
        self._written_beginnings = Beginnings(form for forms in written for form in forms)
        self._base64_beginnings = Beginnings(of_base64)

    def spans(self, text: str) -> list[Span]:
        """Return the places of forms in order; overlapping ones are one."""
        data = text.encode("utf-8", "surrogatepass").translate(STANDARD_BASE64)
        candidates = list(self._table.candidates(data))
        found = [span for each in candidates if not each.in_base64 for span in _places(each, text)]
        wrapped = self._base64_beginnings.longest and LONG_LINE in data.translate(CHARACTER_CLASSES)
        if wrapped or any(each.in_base64 for each in candidates):
            encoded = Base64Text(text)
            candidates = list(self._table.candidates(encoded.data)) if wrapped else candidates
            places = (span for each in candidates if each.in_base64 for span in _places(each, encoded.text))
            found += map(encoded.original, places)
        return _merged(found)

    def open_end(self, text: str) -> int:
        """Return the start of a suffix that may be the beginning of a form; the text's length for none."""
        first = self._written_beginnings.open_end(text, text.rfind("\n") + 1)
        beginnings = self._base64_beginnings
        if beginnings.longest:
            before = max(0, len(text) - beginnings.longest // SHORTEST_WRAPPED - beginnings.longest - 2 * CONTEXT)
            encoded = Base64Text(text[before:])
            start = beginnings.open_end(encoded.text, encoded.text.rfind("\n") + 1)
            first = min(first, before + encoded.original((start, start))[0])
        return first

    def mask(self, text: str) -> str:
        """The text with `[REDACTED]` in place of each form."""
        return masked(text, self.spans(text), 0, len(text))


class StreamMasker:
    """Masks text that comes in pieces, cut anywhere. What may become a form is held back until it is decided.

    It is held back for as long as it takes: a program must not get a secret through by waiting in the middle of it.
    """

    __slots__ = ("_given", "_text")

    def __init__(self) -> None:
        self._text = ""  # what was given out last, for context, and behind it what is held back
        self._given = 0

    def feed(self, text: str, forms: SecretForms) -> str:
        """Take the next piece; gives what is decided by now."""
        self._text += text
        spans = forms.spans(self._text)
        undecided = max(forms.open_end(self._text), self._given)
        end = next((stop for start, stop in spans if start < undecided < stop), undecided)
        given = masked(self._text, spans, self._given, end)
        kept = max(0, min(undecided, end - CONTEXT))
        self._text = self._text[kept:]
        self._given = end - kept
        return given

    def flush(self, forms: SecretForms) -> str:
        """The stream has ended: the rest."""
        rest = masked(self._text, forms.spans(self._text), self._given, len(self._text))
        self._text, self._given = "", 0
        return rest


def masked(text: str, spans: Sequence[Span], start: int, end: int) -> str:
    """The part of a text from `start` to `end`, with what the spans cover of it as `[REDACTED]`."""
    parts: list[str] = []
    for first, last in spans:
        if last <= start or first >= end:
            continue
        parts += [text[start:first], REDACTED]
        start = last
    return "".join([*parts, text[start:end]])


def _long_enough(forms: Iterable[str]) -> tuple[str, ...]:
    return tuple({form for form in forms if len(form) >= SHORTEST})


def _places(sought: Sought, text: str) -> Iterator[Span]:
    for form in sought.forms:
        start = -len(form)
        while (start := text.find(form, start + len(form))) >= 0:
            yield start, start + len(form)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
