"""The forms in which a program may print a secret, and where they stand in a text."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import quote

from pykamal.commands import env_file
from pykamal.core.printable import printable
from pykamal.core.sensitive import REDACTED, Sensitive, encoded
from pykamal.events.secret_search import Beginnings, SampleTable, Sought

SHORTEST: Final = 6
"""Characters; shorter values (`true`, `3306`) are words that mean other things too."""

_SAFE_IN_URLS: Final = ("", "/", "*", "!'()*", "!'()*/", "!#$&'()*+,/:;=?@")
"""Characters that the usual encoders keep, beside letters, digits, `-`, `.` and `_`; most keep `~` too."""

_HEX: Final = re.compile(r"%[0-9A-F]{2}")
_HTML_IN_JSON: Final = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})
_SHELL_SPECIAL: Final = re.compile(r"([^\w\-.,:+/@])", re.ASCII)
_DOUBLE_QUOTES_SPECIAL: Final = re.compile(r'([\\"$`])')
_PEM_BOUNDARY: Final = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")

_UNCHANGED: Final = re.compile(r"[A-Za-z0-9_.-]{2,}")
_STANDARD_BASE64: Final = bytes.maketrans(b"-_", b"+/")

# Programs break base64 into lines of 64 or 76 characters.
_SHORTEST_WRAPPED: Final = 60
_CLASSES: Final = bytes(
    ord("a")
    if chr(code).isascii() and (chr(code).isalnum() or chr(code) in "+/")
    else ord("n")
    if code == ord("\n")
    else ord(".")
    for code in range(256)
)
_LONG_LINE: Final = b"a" * _SHORTEST_WRAPPED + b"n"

CONTEXT: Final = 80
"""How many characters before a text tell whether its first line is a line of wrapped base64."""

Span = tuple[int, int]


class SecretForms:
    """The texts to search for: each line of each secret, plain and encoded, and the base64 of the whole.

    No form has a line break in it. Values and lines shorter than `SHORTEST` are none, nor are the boundaries of PEM.
    """

    def __init__(self, secrets: Iterable[Sensitive]) -> None:
        texts = {secret.reveal().strip() for secret in secrets}
        shown = texts | {encoded(text).decode("utf-8", "replace") for text in texts}  # as output is decoded
        lines = {printable(line).strip() for text in shown for line in text.splitlines()}
        lines = {line for line in lines if not _PEM_BOUNDARY.fullmatch(line)}
        base64_forms = _long_enough(form for text in texts for form in _base64_forms(text))
        written = [_long_enough(_written_forms(line)) for line in lines]
        self._table = SampleTable(
            [Sought(forms, _common_parts(forms)) for forms in written if forms]
            + [Sought((form,), (form.encode(),), in_base64=True) for form in base64_forms]
        )
        self._written_beginnings = Beginnings(form for forms in written for form in forms)
        self._base64_beginnings = Beginnings(base64_forms)

    def spans(self, text: str) -> list[Span]:
        """Return the places of forms in order; overlapping ones are one."""
        data = text.encode("utf-8", "surrogatepass").translate(_STANDARD_BASE64)
        candidates = list(self._table.candidates(data))
        found = [span for each in candidates if not each.in_base64 for span in _places(each, text)]
        wrapped = self._base64_beginnings.longest and _LONG_LINE in data.translate(_CLASSES)
        if wrapped or any(each.in_base64 for each in candidates):
            encoded = _Base64Text(text)
            candidates = list(self._table.candidates(encoded.data)) if wrapped else candidates
            places = (span for each in candidates if each.in_base64 for span in _places(each, encoded.text))
            found += map(encoded.original, places)
        return _merged(found)

    def open_end(self, text: str) -> int:
        """Return the start of a suffix that may be the beginning of a form; the text's length for none."""
        first = self._written_beginnings.open_end(text, text.rfind("\n") + 1)
        beginnings = self._base64_beginnings
        if beginnings.longest:
            before = max(0, len(text) - beginnings.longest // _SHORTEST_WRAPPED - beginnings.longest - 2 * CONTEXT)
            encoded = _Base64Text(text[before:])
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


def _written_forms(line: str) -> Iterator[str]:
    """A line as it is, and in the quotes and escapes of URLs, JSON, HTML, shells and YAML."""
    yield line
    for safe in _SAFE_IN_URLS:
        encoded = quote(line, safe=safe)
        for form in (encoded, encoded.replace("~", "%7E")):
            for spaces in (form, form.replace("%20", "+")):
                yield spaces
                yield _HEX.sub(lambda found: found[0].lower(), spaces)
    for ascii_only in (True, False):
        escaped = json.dumps(line, ensure_ascii=ascii_only)[1:-1]
        for form in (escaped, escaped.translate(_HTML_IN_JSON)):
            yield form
            yield form.replace("/", "\\/")
        yield json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]  # a line of JSON as the text of another
    for apostrophe, quotation in (("'", '"'), ("&#39;", "&quot;"), ("&#x27;", "&quot;"), ("&#39;", "&#34;")):
        bare = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield bare.replace("'", apostrophe).replace('"', quotation)
    yield line.replace("'", "'\\''")
    yield line.replace("'", "'\"'\"'")
    yield line.replace("'", "''")
    yield _SHELL_SPECIAL.sub(r"\\\1", line)
    yield _DOUBLE_QUOTES_SPECIAL.sub(r"\\\1", line)
    yield env_file.encode([("", line)]).reveal()[1:-1]  # a container has it from there


def _base64_forms(text: str) -> Iterator[str]:
    """The characters that depend on this text alone, wherever it begins in what is encoded."""
    content = encoded(text)
    for before in range(3):
        first, last = -(-8 * before // 6), 8 * (before + len(content)) // 6
        yield base64.b64encode(bytes(before) + content).decode()[first:last]


def _common_parts(forms: Collection[str]) -> tuple[bytes, ...]:
    """Parts of a line that all of its forms have: no encoding changes letters, digits and a few other characters."""
    shortest = min(forms, key=len)
    parts = (part for part in _UNCHANGED.findall(shortest) if all(part in form for form in forms))
    return tuple(part.encode().translate(_STANDARD_BASE64) for part in parts)


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


class _Base64Text:
    """A text in which base64 is easily found: in the standard alphabet, without the line breaks inside it."""

    def __init__(self, text: str) -> None:
        # One byte a character, whatever it is.
        self.data = text.encode("latin-1", "replace").translate(_STANDARD_BASE64)
        breaks = list(_breaks_inside(self.data))
        self._breaks = [place - number for number, place in enumerate(breaks)]
        starts, ends = [0, *(place + 1 for place in breaks)], [*breaks, len(self.data)]
        self.data = b"".join(self.data[start:end] for start, end in zip(starts, ends, strict=True))
        self.text = self.data.decode("latin-1")

    def original(self, span: Span) -> Span:
        """The place in the text as it was."""
        start, end = span
        return start + bisect_right(self._breaks, start), end + bisect_right(self._breaks, end - 1)


def _breaks_inside(data: bytes) -> Iterator[int]:
    """Line breaks behind a long line of base64 that goes on in the next line, or may do so behind the end."""
    classes = data.translate(_CLASSES)
    if _LONG_LINE not in classes:
        return
    line = _LONG_LINE[:-1]
    place = -1
    while (place := classes.find(b"n", place + 1)) >= 0:
        if classes.endswith(line, 0, place) and classes[place + 1 : place + 2] in (b"a", b""):
            yield place
