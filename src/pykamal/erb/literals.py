"""Scans literals of strings, regular expressions and word lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pykamal.erb.errors import TemplateError, unsupported

if TYPE_CHECKING:
    from pykamal.erb.tokens import Token

    Part = str | list[Token]

_NUMBERED_CHARACTER: Final = re.compile(r"x([0-9a-fA-F]{1,2})|([0-7]{1,3})")
_UNICODE: Final = re.compile(r"u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})")
_BARE: Final = re.compile(r"#(?:@|\$)[A-Za-z_]")
_FLAGS: Final = re.compile(r"[a-z]*")
_ESCAPES: Final = {
    "n": "\n",
    "t": "\t",
    "s": " ",
    "r": "\r",
    "0": "\0",
    "e": "\x1b",
    "a": "\a",
    "b": "\b",
    "v": "\v",
    "f": "\f",
}


class _Parts:
    """Collects texts and interpolations in order; adjacent text is joined."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._text: list[str] = []

    def write(self, text: str) -> None:
        self._text.append(text)

    def insert(self, tokens: list[Token]) -> None:
        self.parts += ["".join(self._text), tokens]
        self._text = []

    def finished(self) -> list[Part]:
        self.parts.append("".join(self._text))
        return self.parts


class LiteralScanner:
    """Scans literals. Methods take the position behind the opening delimiter and return the end too."""

    def __init__(self, code: str, base: int, depth: int) -> None:
        self._code = code
        self._base = base
        self._depth = depth
        self._position = 0

    def interpolated(self, start: int) -> tuple[list[Token], int]:
        """Return the tokens of a `#{...}` from behind its brace. The lexer implements it."""
        raise NotImplementedError

    def single_quoted(self, start: int, opener: str, closer: str) -> tuple[str, int]:
        text: list[str] = []
        position, level = start, 0
        while position < len(self._code):
            character = self._code[position]
            if character == "\\" and self._code[position + 1 : position + 2] in (opener, closer, "\\"):
                position += 1
                character = self._code[position]
            elif character == closer and level == 0:
                return "".join(text), position + 1
            elif opener != closer and character in (opener, closer):
                level += 1 if character == opener else -1
            text.append(character)
            position += 1
        raise self._error("a text is never closed")

    def quoted(self, start: int, opener: str, closer: str) -> tuple[list[Part], int]:
        found = _Parts()
        position, level = start, 0
        while position < len(self._code):
            character = self._code[position]
            if character == "\\":
                replaced, position = self._escape(position)
                found.write(replaced)
            elif self._code.startswith("#{", position):
                tokens, position = self.interpolated(position + 2)
                found.insert(tokens)
            elif character == closer and level == 0:
                return found.finished(), position + 1
            else:
                self._refuse_bare_interpolation(position)
                if opener != closer and character in (opener, closer):
                    level += 1 if character == opener else -1
                found.write(character)
                position += 1
        raise self._error("a text is never closed")

    def regexp(self, start: int, opener: str, closer: str) -> tuple[list[Part], str, int]:
        """Scan a regular expression: its source with escapes as written, the flags, and the end."""
        found = _Parts()
        position, level = start, 0
        while position < len(self._code):
            character = self._code[position]
            if character == "\\":
                escaped = self._code[position : position + 2]
                found.write("/" if escaped == "\\/" else escaped)
                position += 2
            elif self._code.startswith("#{", position):
                tokens, position = self.interpolated(position + 2)
                found.insert(tokens)
            elif character == closer and level == 0:
                flags = _FLAGS.match(self._code, position + 1)
                assert flags is not None, "the pattern matches the empty text too"
                return found.finished(), flags.group(), flags.end()
            else:
                if opener != closer and character in (opener, closer):
                    level += 1 if character == opener else -1
                found.write(character)
                position += 1
        raise self._error("a regular expression is never closed")

    def words(self, start: int, opener: str, closer: str, *, interpolating: bool) -> tuple[list[list[Part]], int]:
        words: list[list[Part]] = []
        word: _Parts | None = None
        position, level = start, 0
        while position < len(self._code):
            character = self._code[position]
            if character == closer and level == 0:
                if word is not None:
                    words.append(word.finished())
                return words, position + 1
            if character.isspace():
                if word is not None:
                    words.append(word.finished())
                word = None
                position += 1
                continue
            word = word or _Parts()
            if interpolating and self._code.startswith("#{", position):
                tokens, position = self.interpolated(position + 2)
                word.insert(tokens)
                continue
            if character == "\\" and interpolating:
                replaced, position = self._escape(position)
                word.write(replaced)
                continue
            if character == "\\" and self._code[position + 1 : position + 2] in (" ", "\n", "\\", opener, closer):
                position += 1
                character = self._code[position]
            elif opener != closer and character in (opener, closer):
                level += 1 if character == opener else -1
            word.write(character)
            position += 1
        raise self._error("a %w list is never closed")

    def heredoc(self, start: int, delimiter: str, kind: str, *, raw: bool) -> tuple[list[Part], int]:
        """Scan the lines from `start` to the delimiter; return their text and the start of the line behind it.

        With `~` the smallest indentation is taken from each line; with `~` and `-` the delimiter may be indented.
        """
        end, behind = self._heredoc_end(start, delimiter, indented=bool(kind))
        indentation = self._smallest_indentation(start, end) if kind == "~" else 0
        found = _Parts()
        position = start
        while position < end:
            if position == start or self._code[position - 1] == "\n":
                position = self._without_indentation(position, end, indentation)
                if position >= end:
                    break
            if not raw and self._code[position] == "\\":
                replaced, position = self._escape(position)
                found.write(replaced)
            elif not raw and self._code.startswith("#{", position):
                tokens, position = self.interpolated(position + 2)
                found.insert(tokens)
            else:
                if not raw:
                    self._refuse_bare_interpolation(position)
                found.write(self._code[position])
                position += 1
        return found.finished(), behind

    def _heredoc_end(self, start: int, delimiter: str, *, indented: bool) -> tuple[int, int]:
        position = start
        while position < len(self._code):
            line_end = self._code.find("\n", position)
            line_end = len(self._code) if line_end == -1 else line_end
            line = self._code[position:line_end].rstrip("\r")
            if (line.strip(" \t") if indented else line) == delimiter:
                return position, min(line_end + 1, len(self._code))
            position = line_end + 1
        raise self._error(f"the text that ends with {delimiter} is never closed")

    def _smallest_indentation(self, start: int, end: int) -> int:
        lines = [line for line in self._code[start:end].split("\n") if line.strip(" \t\r")]
        return min((len(line) - len(line.lstrip(" \t")) for line in lines), default=0)

    def _without_indentation(self, position: int, end: int, indentation: int) -> int:
        taken = 0
        while taken < indentation and position < end and self._code[position] in " \t":
            position += 1
            taken += 1
        return position

    def _refuse_bare_interpolation(self, position: int) -> None:
        if self._code[position] == "#" and _BARE.match(self._code, position):
            raise unsupported("a variable behind # without braces", self._base + position, "Write #{@name}.")

    def _escape(self, position: int) -> tuple[str, int]:
        following = self._code[position + 1 : position + 2]
        if following == "u":
            match = _UNICODE.match(self._code, position + 1)
            code = int(match[1] or match[2], 16) if match else 0x110000
            if match is None or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise self._error("an escape \\u needs four hexadecimal digits")
            return chr(code), match.end()
        if following == "\n":
            return "", position + 2
        if number := _NUMBERED_CHARACTER.match(self._code, position + 1):
            code = int(number[1], 16) if number[1] else int(number[2], 8)
            if code > 0x7F:
                raise unsupported("a single byte beyond ASCII in a text", self._base + position, "Write \\u00e9.")
            return chr(code), number.end()
        return _ESCAPES.get(following, following), position + 2

    def _error(self, message: str) -> TemplateError:
        return TemplateError(message, self._base + self._position, label="SyntaxError")
