"""Splits the code of a tag into tokens of the Ruby subset."""

from __future__ import annotations

from typing import Any

from pykamal.erb.errors import TemplateError, unsupported
from pykamal.erb.literals import LiteralScanner
from pykamal.erb.tokens import (
    CLOSERS,
    HEREDOC,
    KEYWORDS,
    LABEL,
    MAXIMUM_NESTING,
    MAXIMUM_TOKENS,
    NAME,
    NUMBER,
    OPERATORS,
    PERCENT,
    REFUSED,
    SIGIL_NAME,
    SYMBOL,
    VALUE_KEYWORDS,
    Token,
)


class Lexer(LiteralScanner):
    """The lexer of one piece of code; `base` is its offset in the template."""

    def __init__(self, code: str, base: int, depth: int = 0) -> None:
        super().__init__(code, base, depth)
        self._tokens: list[Token] = []
        self._waiting_ternaries = [0]
        self._behind_heredocs = 0

    def all(self) -> list[Token]:
        self._run(until_brace=False)
        return self._tokens

    def interpolated(self, start: int) -> tuple[list[Token], int]:
        """Return the tokens from `start` to the `}` that closes an interpolation, and the position behind it."""
        inner = Lexer(self._code, self._base, self._depth + 1)
        if inner._depth > MAXIMUM_NESTING:
            raise TemplateError("code is nested too deeply", self._base + start, label="BudgetExceeded")
        inner._position = start
        inner._run(until_brace=True)
        return inner._tokens, inner._position

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
            self._newline(character, spaced)
        elif character in "0123456789":
            self._number(spaced)
        elif character in '"`':
            parts, end = self.quoted(position + 1, character, character)
            self._add("string" if character == '"' else "shell", parts, end, spaced)
        elif character == "'":
            text, end = self.single_quoted(position + 1, "'", "'")
            self._add("string", [text], end, spaced)
        elif character == "%" and self._value_expected(spaced) and (match := PERCENT.match(code, position)):
            self._percent(match[1], match[2], match.end(), spaced)
        elif character == "<" and self._heredoc(spaced):
            return
        elif character == ":" and code.startswith((':"', ":'"), position) and not self._after_ternary_value(spaced):
            parts, end = self.quoted(position + 2, code[position + 1], code[position + 1])
            self._add("symbol", parts, end, spaced)
        elif character == ":" and (match := SYMBOL.match(code, position)) and not self._ternary_colon():
            self._add("symbol", match[1], match.end(), spaced)
        elif character == "/" and self._value_expected(spaced):
            self._regexp(position + 1, "/", "/", spaced)
        elif character in "$@" and (match := SIGIL_NAME.match(code, position)):
            self._add("variable", match.group(), match.end(), spaced)
        elif (character.isascii() and character.isalpha()) or character == "_":
            self._name(spaced)
        else:
            self._operator(spaced)

    def _add(self, kind: str, value: Any, end: int, spaced: bool) -> None:
        self._tokens.append(Token(kind, value, self._base + self._position, spaced, self._base + end))
        self._position = end

    def _newline(self, character: str, spaced: bool) -> None:
        """Handle a line end. Behind a line with heredocs the next line is the one behind their texts."""
        self._add("newline", "\n", self._position + 1, spaced)
        if character == "\n" and self._behind_heredocs > self._position:
            self._position = self._behind_heredocs

    def _value_expected(self, spaced: bool) -> bool:
        """Return True where `/`, `%` and `<<` start a literal and are no operators."""
        if not self._tokens:
            return True
        last = self._tokens[-1]
        if last.kind in ("operator", "newline", "keyword", "label"):
            return last.value not in (")", "]", "}") and last.value not in VALUE_KEYWORDS
        after = self._code[self._position + 1 : self._position + 2]
        return last.kind == "name" and spaced and not after.isspace() and after != "="

    def _number(self, spaced: bool) -> None:
        match = NUMBER.match(self._code, self._position)
        assert match is not None, "the caller saw a digit"
        text = match.group().replace("_", "")
        try:
            if text[:2].lower() in ("0x", "0b", "0o"):
                self._add("int", int(text, 0), match.end(), spaced)
            elif "." in text or "e" in text or "E" in text:
                self._add("float", float(text), match.end(), spaced)
            else:
                octal = len(text) > 1 and text.startswith("0")
                self._add("int", int(text, 8 if octal else 10), match.end(), spaced)
        except ValueError:
            raise self._error(f"{text[:20]} is no number") from None

    def _name(self, spaced: bool) -> None:
        before = self._tokens[-1].value if self._tokens else None
        after_dot = before in (".", "&.", "def") and self._tokens[-1].kind in ("operator", "keyword")
        label = None if after_dot else LABEL.match(self._code, self._position)
        if label is not None and not self._waiting_ternaries[-1]:
            self._add("label", label[1], label.end(), spaced)
            return
        match = NAME.match(self._code, self._position)
        assert match is not None, "the caller saw a letter"
        name = match.group()
        if name in REFUSED and not after_dot:
            raise unsupported(f"`{name}`", self._base + self._position)
        kind = "keyword" if name in KEYWORDS and not after_dot else "constant" if name[0].isupper() else "name"
        self._add(kind, name, match.end(), spaced)

    def _after_ternary_value(self, spaced: bool) -> bool:
        """Return True where a colon right behind a value belongs to an open ternary, as in `a ?"b":"c"`."""
        return self._waiting_ternaries[-1] > 0 and not spaced and self._tokens[-1].kind not in ("operator", "newline")

    def _ternary_colon(self) -> bool:
        """Return True where a colon behind a value belongs to an open ternary, as in `a ? b :c`."""
        last = self._tokens[-1] if self._tokens else None
        closed = last is not None and (last.kind not in ("operator", "newline") or last.value in (")", "]", "}"))
        return self._waiting_ternaries[-1] > 0 and closed

    def _operator(self, spaced: bool) -> None:
        for operator in OPERATORS:
            if self._code.startswith(operator, self._position):
                self._add("operator", operator, self._position + len(operator), spaced)
                self._count_ternaries(operator)
                return
        raise self._error(f"unexpected {self._code[self._position]!r}")

    def _count_ternaries(self, operator: str) -> None:
        """Count, for each open bracket, the `?` that still lack their `:`."""
        waiting = self._waiting_ternaries
        if operator in ("(", "[", "{"):
            waiting.append(0)
        elif operator in (")", "]", "}"):
            if len(waiting) > 1:
                waiting.pop()
        elif operator in ("?", ":"):
            waiting[-1] = max(0, waiting[-1] + (1 if operator == "?" else -1))

    def _percent(self, kind: str, opener: str, start: int, spaced: bool) -> None:
        closer = CLOSERS.get(opener, opener)
        if kind and kind in "wWiI":
            words, end = self.words(start, opener, closer, interpolating=kind in "WI")
            self._add("words" if kind in "wW" else "symbols", words, end, spaced)
        elif kind == "r":
            self._regexp(start, opener, closer, spaced)
        elif kind in ("q", "s"):
            text, end = self.single_quoted(start, opener, closer)
            self._add("string" if kind == "q" else "symbol", [text], end, spaced)
        else:
            parts, end = self.quoted(start, opener, closer)
            self._add("shell" if kind == "x" else "string", parts, end, spaced)

    def _regexp(self, start: int, opener: str, closer: str, spaced: bool) -> None:
        parts, flags, end = self.regexp(start, opener, closer)
        self._add("regexp", (parts, flags), end, spaced)

    def _heredoc(self, spaced: bool) -> bool:
        match = HEREDOC.match(self._code, self._position)
        if match is None or not (match[1] == "~" or self._value_expected(spaced)):
            return False
        kind, delimiter = match[1], match[3] or match[4]
        line_end = self._code.find("\n", match.end())
        start = max(self._behind_heredocs, len(self._code) if line_end == -1 else line_end + 1)
        parts, self._behind_heredocs = self.heredoc(start, delimiter, kind, raw=match[2] == "'")
        self._add("shell" if match[2] == "`" else "string", parts, match.end(), spaced)
        return True
