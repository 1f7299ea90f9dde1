"""A cursor over tokens, with tests of the next one."""

from __future__ import annotations

from pykamal.erb.errors import TemplateError
from pykamal.erb.tokens import Token


class Cursor:
    def __init__(self, tokens: list[Token]) -> None:
        end = tokens[-1].ends or tokens[-1].offset if tokens else 0
        self._tokens = [*tokens, Token("end", None, end)]
        self._index = 0

    @property
    def peek(self) -> Token:
        """Return the next token; of the kind `end` behind the last one."""
        return self._tokens[self._index]

    def ahead(self, count: int) -> Token:
        """Return the token so many places behind the next one."""
        return self._tokens[min(self._index + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Return the next token and move behind it. The end is never passed."""
        token = self._tokens[self._index]
        if token.kind != "end":
            self._index += 1
        return token

    def at(self, kind: str, *values: str) -> bool:
        """Return True where the next token is of that kind and, if values are given, one of them."""
        token = self.peek
        return token.kind == kind and (not values or token.value in values)

    def at_bracket(self, bracket: str) -> bool:
        """Return True where the bracket follows without a blank, and so belongs to the expression before it."""
        return self.at("operator", bracket) and not self.peek.spaced

    def accept(self, kind: str, *values: str) -> Token | None:
        """Take the next token if it is of that kind and value."""
        return self.take() if self.at(kind, *values) else None

    def expect(self, kind: str, value: str) -> Token:
        """Take the next token. Raises TemplateError where it is of another kind or value."""
        token = self.accept(kind, value)
        if token is None:
            raise TemplateError(f"expected {value}, found {_named(self.peek)}", self.peek.offset, label="SyntaxError")
        return token

    def skip_newlines(self) -> None:
        while self.accept("newline"):
            pass

    def skip_newlines_before(self, kind: str, *values: str) -> bool:
        """Move behind line ends to a token of that kind and value, else stay."""
        ahead = self._index
        while self._tokens[ahead].kind == "newline":
            ahead += 1
        token = self._tokens[ahead]
        found = token.kind == kind and token.value in values
        if found:
            self._index = ahead
        return found


def unexpected(token: Token) -> TemplateError:
    return TemplateError(f"unexpected {_named(token)}", token.offset, label="SyntaxError")


def _named(token: Token) -> str:
    if token.kind in ("newline", "end", "text", "output"):
        return "the end of the tag"
    if token.kind in ("string", "shell"):
        return "a text"
    return f"`{token.value}`"
