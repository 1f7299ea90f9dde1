"""The forms in which a program may print a secret, and where they stand in a text."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import quote

from pykamal.commands import env_file
from pykamal.core.printable import printable
from pykamal.core.sensitive import REDACTED, Sensitive, encoded

SHORTEST: Final = 6
"""Characters; shorter values (`true`, `3306`) are words that mean other things too."""

_SAFE_IN_URLS: Final = ("", "/", "*", "!'()*", "!'()*/", "!#$&'()*+,/:;=?@")
"""What the usual encoders leave as it is, beside letters, digits, `-`, `.` and `_`; most leave `~` too."""

_HEX: Final = re.compile(r"%[0-9A-F]{2}")
_HTML_IN_JSON: Final = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})
_SHELL_SPECIAL: Final = re.compile(r"([^\w\-.,:+/@])", re.ASCII)
_DOUBLE_QUOTES_SPECIAL: Final = re.compile(r'([\\"$`])')
_PEM_BOUNDARY: Final = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")

_STANDARD_BASE64: Final = bytes.maketrans(b"-_", b"+/")

# Programs break base64 into lines of 64 or 76 characters.
_BASE64: Final = r"[A-Za-z0-9+/]"
_WRAP: Final = re.compile(rf"(?<={_BASE64}{{60}})\n(?={_BASE64}|\Z)")
_CLASSES: Final = bytes(
    ord("a") if re.match(_BASE64, chr(code)) else ord("n") if code == ord("\n") else ord(".") for code in range(256)
)
_LONG_LINE: Final = b"a" * 60 + b"n"

CONTEXT: Final = 80
"""How many characters before a text tell whether its first line is a line of wrapped base64."""

Span = tuple[int, int]


class SecretForms:
    """What is looked for: each line of each secret, plain and encoded, and the base64 of the whole.

    No form has a line break in it. Values and lines shorter than `SHORTEST` are none, nor are the boundaries of PEM.
    """

    def __init__(self, secrets: Iterable[Sensitive]) -> None:
        texts = {secret.reveal().strip() for secret in secrets}
        shown = texts | {encoded(text).decode("utf-8", "replace") for text in texts}  # as output is decoded
        lines = {printable(line).strip() for text in shown for line in text.splitlines()}
        lines = {line for line in lines if not _PEM_BOUNDARY.fullmatch(line)}
        self._base64 = _long_enough(form for text in texts for form in _base64_forms(text))
        self._written = _long_enough(form for line in lines for form in _written_forms(line))
        # A character that only some forms have is found faster than each of them.
        self._by_mark: dict[str, list[str]] = {"": [], "%": [], "\\": []}
        for form in self._written:
            self._by_mark[next((mark for mark in ("%", "\\") if mark in form), "")].append(form)

    def spans(self, text: str) -> list[Span]:
        """Where forms stand, in order; those that overlap are one."""
        found = [
            span
            for mark, forms in self._by_mark.items()
            if mark in text
            for form in forms
            if form in text
            for span in _occurrences(form, text)
        ]
        if self._base64:
            encoded = _Base64Text(text)
            found += [encoded.original(span) for form in self._base64 for span in _occurrences(form, encoded.text)]
        return _merged(found)

    def open_end(self, text: str) -> int:
        """Where the part at the end begins that may be the beginning of a form; the text's length for none."""
        line = text.rfind("\n") + 1
        first = min((_open(form, text, line) for form in self._written), default=len(text))
        if self._base64:
            encoded = _Base64Text(text)
            line = encoded.text.rfind("\n") + 1
            start = min(_open(form, encoded.text, line) for form in self._base64)
            first = min(first, encoded.original((start, start))[0])
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
    """A line as it is, and in the quotes and escapes of URLs, JSON, shells and YAML."""
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


def _long_enough(forms: Iterable[str]) -> tuple[str, ...]:
    return tuple({form for form in forms if len(form) >= SHORTEST})


def _occurrences(form: str, text: str) -> Iterator[Span]:
    start = -len(form)
    while (start := text.find(form, start + len(form))) >= 0:
        yield start, start + len(form)


def _open(form: str, text: str, start: int) -> int:
    """Where a beginning of the form stands at the end of the text, from `start` on; the text's length for nowhere."""
    start = max(start, len(text) - len(form) + 1) - 1
    while (start := text.find(form[0], start + 1)) >= 0:
        if form.startswith(text[start:]):
            return start
    return len(text)


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
        data = text.encode("latin-1", "replace").translate(_STANDARD_BASE64)  # one byte a character, whatever it is
        self.text = data.decode("latin-1")
        self._breaks: list[int] = []
        if _LONG_LINE in data.translate(_CLASSES):
            self._breaks = [found.start() - number for number, found in enumerate(_WRAP.finditer(self.text))]
            self.text = _WRAP.sub("", self.text)

    def original(self, span: Span) -> Span:
        """The place in the text as it was."""
        start, end = span
        return start + bisect_right(self._breaks, start), end + bisect_right(self._breaks, end - 1)
