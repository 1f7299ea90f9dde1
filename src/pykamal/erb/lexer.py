"""The words of the Ruby subset that templates may use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from pykamal.erb.errors import TemplateError, unsupported
from pykamal.erb.regexps import Unsupported, compiled

MAXIMUM_NESTING: Final = 25
MAXIMUM_TOKENS: Final = 20_000

KEYWORDS: Final = frozenset(
    ["if", "unless", "elsif", "else", "end", "then", "do", "and", "or", "not", "nil", "true", "false", "case", "when"]
)
_REFUSED: Final = frozenset(
    [
        "begin",
        "rescue",
        "ensure",
        "def",
        "class",
        "module",
        "while",
        "until",
        "for",
        "lambda",
        "proc",
        "yield",
        "return",
    ]
)
_OPERATORS: Final = (
    *("<=>", "===", "||=", "&&=", "..."),
    *("==", "!=", ">=", "<=", "&&", "||", "<<", "+=", "-=", "*=", "**", "=>", "->", "=~", "!~", "&.", "::", ".."),
    *"+-*/%<>=!?:.,()[]{}|&",
)
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]+)?")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*[?!]?(?!=[^=~>])|[A-Za-z_][A-Za-z0-9_]*")
_SYMBOL: Final = re.compile(r":([A-Za-z_][A-Za-z0-9_]*[?!=]?)(?!:)")
_LABEL: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*[?!]?):(?!:)")
_PERCENT: Final = re.compile(r"%([wWiIqQxr]?)([(\[{<|!/])")
_CLOSERS: Final = {"(": ")", "[": "]", "{": "}", "<": ">"}
_NUMBERED_CHARACTER: Final = re.compile(r"x([0-9a-fA-F]{1,2})|([0-7]{1,3})")
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


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is one of int, float, string, shell, pattern, words, symbols, symbol, label, name, constant, keyword,
    operator, newline, text, output, end.

    The value of a string or shell token is a list of texts and, for `#{...}`, lists of tokens.
    """

    kind: str
    value: Any
    offset: int
    spaced: bool = False


class Lexer:
    """Tokens of one piece of code; `base` is its offset in the template."""

    def __init__(self, code: str, base: int, depth: int = 0) -> None:
        self._code = code
        self._base = base
        self._depth = depth
        self._position = 0
        self._tokens: list[Token] = []
        self._waiting_ternaries = [0]

    def all(self) -> list[Token]:
        self._run(until_brace=False)
        return self._tokens

    def up_to_brace(self, start: int) -> tuple[list[Token], int]:
        """Tokens from `start` to the `}` that closes an interpolation, and the place behind it."""
        if self._depth > MAXIMUM_NESTING:
            raise TemplateError("code is nested too deeply", self._base + start)
        self._position = start
        self._run(until_brace=True)
        return self._tokens, self._position

    def _run(self, *, until_brace: bool) -> None:
        braces = 0
        while True:
            spaced = self._skip_blanks()
            if self._position >= len(self._code):
                if until_brace:
                    raise self._error("a #{ is never closed")
                return
            character = self._code[self._position]
            if character == "{":
                braces += 1
            elif character == "}":
                if until_brace and braces == 0:
                    self._position += 1
                    return
                braces -= 1
            self._token(character, spaced)
            if len(self._tokens) > MAXIMUM_TOKENS:
                raise self._error(f"the template has more than {MAXIMUM_TOKENS} words of code")

    def _skip_blanks(self) -> bool:
        start = self._position
        while self._position < len(self._code):
            character = self._code[self._position]
            if character in " \t\r" or self._code.startswith("\\\n", self._position):
                self._position += 1 if character != "\\" else 2
            elif character == "#":
                end = self._code.find("\n", self._position)
                self._position = len(self._code) if end == -1 else end
            else:
                break
        return self._position > start

    def _token(self, character: str, spaced: bool) -> None:
        code, position = self._code, self._position
        if character in "\n;":
            self._add("newline", "\n", 1, spaced)
        elif character in "0123456789":
            self._number(spaced)
        elif character in '"`':
            self._quoted(character, character, "string" if character == '"' else "shell", position + 1, spaced)
        elif character == "'":
            self._single_quoted("'", "'", position + 1, spaced)
        elif self._value_expected(spaced) and (match := _PERCENT.match(code, position)):
            self._percent(match, spaced)
        elif character == ":" and code.startswith(':"', position) and not self._after_ternary_value(spaced):
            self._quoted('"', '"', "symbol", position + 2, spaced)
        elif character == ":" and (match := _SYMBOL.match(code, position)):
            self._add("symbol", match[1], match.end() - position, spaced)
        elif character == "/" and self._value_expected(spaced):
            self._regular_expression("/", position + 1, spaced)
        elif character in "$@":
            raise unsupported("a global or instance variable", self._base + position)
        elif (character.isascii() and character.isalpha()) or character == "_":
            self._name(spaced)
        else:
            self._operator(spaced)

    def _add(self, kind: str, value: Any, length: int, spaced: bool) -> None:
        self._tokens.append(Token(kind, value, self._base + self._position, spaced))
        self._position += length

    def _value_expected(self, spaced: bool) -> bool:
        """Whether `/` and `%` start a literal here instead of dividing."""
        if not self._tokens:
            return True
        last = self._tokens[-1]
        if last.kind in ("operator", "newline", "keyword", "label"):
            return last.value not in (")", "]", "}", "end", "nil", "true", "false")
        after = self._code[self._position + 1 : self._position + 2]
        return last.kind == "name" and spaced and not after.isspace()

    def _number(self, spaced: bool) -> None:
        match = _NUMBER.match(self._code, self._position)
        assert match is not None, "the caller saw a digit"
        text = match.group().replace("_", "")
        try:
            if text[:2] in ("0x", "0X"):
                self._add("int", int(text, 16), len(match.group()), spaced)
            elif "." in text or "e" in text or "E" in text:
                self._add("float", float(text), len(match.group()), spaced)
            else:
                octal = len(text) > 1 and text.startswith("0")
                self._add("int", int(text, 8 if octal else 10), len(match.group()), spaced)
        except ValueError:
            raise self._error(f"{text[:20]} is no number") from None

    def _name(self, spaced: bool) -> None:
        after_dot = bool(self._tokens) and self._tokens[-1].value in (".", "&.")
        label = None if after_dot else _LABEL.match(self._code, self._position)
        if label is not None and not self._ternary_branch():
            self._add("label", label[1], label.end() - self._position, spaced)
            return
        match = _NAME.match(self._code, self._position)
        assert match is not None, "the caller saw a letter"
        name = match.group()
        if name in _REFUSED and not after_dot:
            raise unsupported(f"`{name}`", self._base + self._position)
        kind = "keyword" if name in KEYWORDS and not after_dot else "constant" if name[0].isupper() else "name"
        self._add(kind, name, len(name), spaced)

    def _ternary_branch(self) -> bool:
        """`a ? b : c`: the name before a colon is no label when a `?` waits for its colon and a blank is around."""
        return self._waiting_ternaries[-1] > 0

    def _after_ternary_value(self, spaced: bool) -> bool:
        """`a ?"b":"c"`: the colon right behind a value is the ternary's, when one waits for it."""
        return self._waiting_ternaries[-1] > 0 and not spaced and self._tokens[-1].kind not in ("operator", "newline")

    def _operator(self, spaced: bool) -> None:
        for operator in _OPERATORS:
            if self._code.startswith(operator, self._position):
                self._add("operator", operator, len(operator), spaced)
                self._count_ternaries(operator)
                return
        raise self._error(f"unexpected {self._code[self._position]!r}")

    def _count_ternaries(self, operator: str) -> None:
        """Keeps, for each bracket that is open, how many `?` still wait for their `:`."""
        waiting = self._waiting_ternaries
        if operator in ("(", "[", "{"):
            waiting.append(0)
        elif operator in (")", "]", "}"):
            if len(waiting) > 1:
                waiting.pop()
        elif operator in ("?", ":"):
            waiting[-1] += 1 if operator == "?" else -1

    def _percent(self, match: re.Match[str], spaced: bool) -> None:
        kind, opener = match[1], match[2]
        closer = _CLOSERS.get(opener, opener)
        if kind in ("w", "W", "i", "I"):
            end = self._code.find(closer, match.end())
            if end == -1:
                raise self._error("a %w list is never closed")
            words = self._code[match.end() : end].split()
            if kind in "WI" and any("#{" in word for word in words):
                raise unsupported("#{...} in a list of words", self._base + match.end(), 'Write ["a", "b"].')
            self._add("words" if kind in "wW" else "symbols", words, end + 1 - self._position, spaced)
        elif kind == "r":
            self._regular_expression(closer, match.end(), spaced)
        elif kind == "q":
            self._single_quoted(opener, closer, match.end(), spaced)
        else:
            self._quoted(opener, closer, "shell" if kind == "x" else "string", match.end(), spaced)

    def _regular_expression(self, closer: str, start: int, spaced: bool) -> None:
        end = start
        while not self._code.startswith(closer, end):
            if end >= len(self._code):
                raise self._error("a regular expression is never closed")
            if self._code.startswith("#{", end):
                raise unsupported("#{...} in a regular expression", self._base + end)
            end += 2 if self._code[end] == "\\" else 1
        flags = re.compile(r"[a-z]*").match(self._code, end + 1)
        assert flags is not None, "the pattern matches the empty text too"
        try:
            pattern = compiled(self._code[start:end].replace("\\/", "/"), flags.group())
        except Unsupported as reason:
            raise unsupported(f"a regular expression with {reason}", self._base + start) from None
        self._add("pattern", pattern, flags.end() - self._position, spaced)

    def _single_quoted(self, opener: str, closer: str, start: int, spaced: bool) -> None:
        text: list[str] = []
        position, level = start, 0
        while position < len(self._code):
            character = self._code[position]
            if character == "\\" and self._code[position + 1 : position + 2] in (closer, "\\"):
                position += 1
                character = self._code[position]
            elif character == closer and level == 0:
                self._add("string", ["".join(text)], position + 1 - self._position, spaced)
                return
            elif opener != closer and character in (opener, closer):
                level += 1 if character == opener else -1
            text.append(character)
            position += 1
        raise self._error("a text is never closed")

    def _quoted(self, opener: str, closer: str, kind: str, start: int, spaced: bool) -> None:
        parts: list[str | list[Token]] = []
        text: list[str] = []
        position, level = start, 0
        while position < len(self._code):
            character = self._code[position]
            if character == "\\":
                replaced, position = self._escape(position)
                text.append(replaced)
                continue
            if self._code.startswith("#{", position):
                parts.append("".join(text))
                text = []
                inner = Lexer(self._code, self._base, self._depth + 1)
                tokens, position = inner.up_to_brace(position + 2)
                parts.append(tokens)
                continue
            if character == closer and level == 0:
                parts.append("".join(text))
                self._add(kind, parts, position + 1 - self._position, spaced)
                return
            if opener != closer and character in (opener, closer):
                level += 1 if character == opener else -1
            text.append(character)
            position += 1
        raise self._error("a text is never closed")

    def _escape(self, position: int) -> tuple[str, int]:
        following = self._code[position + 1 : position + 2]
        if following == "u":
            match = re.compile(r"u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})").match(self._code, position + 1)
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
