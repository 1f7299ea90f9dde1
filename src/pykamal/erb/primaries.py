"""Parses primary expressions: literals, names, blocks and parameters."""

from __future__ import annotations

from typing import Final

from pykamal.erb.ast import (
    Block,
    Constant,
    Defined,
    Expression,
    Jump,
    Lambda,
    ListLiteral,
    Literal,
    MapLiteral,
    Parameter,
    RegexpLiteral,
    Sequence,
    Shell,
    Statement,
    SymbolLiteral,
    Text,
    Variable,
    Yield,
)
from pykamal.erb.cursor import unexpected
from pykamal.erb.errors import unsupported
from pykamal.erb.expressions import ExpressionParser
from pykamal.erb.tokens import Token

_IMPLICIT: Final = ("it", "_1", "_2", "_3")


class PrimaryParser(ExpressionParser):
    def interpolated(self, tokens: list[Token]) -> tuple[Statement, ...]:
        """Parse the statements of a `#{...}`."""
        raise NotImplementedError

    def keyword(self, token: Token) -> Expression:
        """Parse `if`, `case` and the other constructs that begin with a keyword."""
        raise NotImplementedError

    def primary(self) -> Expression:
        token = self.take()
        match token.kind:
            case "int" | "float":
                return Literal(token.value, token.offset)
            case "string":
                return self._adjacent_texts(token)
            case "shell":
                return Shell(self.text(token.value, token.offset), token.offset)
            case "regexp":
                parts, flags = token.value
                return RegexpLiteral(self.text(parts, token.offset), flags, token.offset)
            case "words":
                return ListLiteral(tuple(self.text(word, token.offset) for word in token.value), token.offset)
            case "symbols":
                names = (self.text(word, token.offset) for word in token.value)
                return ListLiteral(tuple(SymbolLiteral(name, token.offset) for name in names), token.offset)
            case "symbol":
                return SymbolLiteral(self.text(token.value, token.offset), token.offset)
            case "constant":
                return self._constant(token)
            case "name":
                return self._named(token)
            case "variable":
                return Variable(token.value, True, token.offset)
            case "keyword":
                return self._value_keyword(token)
            case "operator":
                return self._bracketed(token)
        raise unexpected(token)

    def text(self, value: str | list[str | list[Token]], offset: int) -> Text:
        parts = [value] if isinstance(value, str) else value
        return Text(tuple(part if isinstance(part, str) else self.interpolated(part) for part in parts), offset)

    def _adjacent_texts(self, token: Token) -> Text:
        text = self.text(token.value, token.offset)
        while self.at("string"):
            text = Text((*text.parts, *self.text(self.take().value, token.offset).parts), token.offset)
        return text

    def _constant(self, token: Token) -> Expression:
        if self.at_bracket("(") or (self.peek.kind == "string" and self.peek.spaced):
            return self.method(None, Token("name", token.value, token.offset, ends=token.ends))
        return Constant(token.value, token.offset)

    def _named(self, token: Token) -> Expression:
        """Parse a name: a local variable, or a call where it is none or has arguments or a block."""
        if self.at_bracket("("):
            return self.method(None, token)
        if token.value in _IMPLICIT and self.implicit and not self.is_local(token.value):
            self.implicit[-1].add(token.value)
            return Variable(token.value, True, token.offset)
        if self.is_local(token.value):
            return Variable(token.value, True, token.offset)
        if token.value in ("lambda", "proc") and (block := self.block_of_call()):
            return Lambda(block, token.value == "lambda", token.offset)
        if self.argument_follows(token) or self._block_follows():
            return self.method(None, token)
        return Variable(token.value, False, token.offset)

    def _block_follows(self) -> bool:
        return self.at("operator", "{") or (self.at("keyword", "do") and not self._without_do)

    def _value_keyword(self, token: Token) -> Expression:
        match token.value:
            case "nil":
                return Literal(None, token.offset)
            case "true" | "false":
                return Literal(token.value == "true", token.offset)
            case "next" | "break" | "return" | "retry":
                return Jump(token.value, self._jump_value(), token.offset)
            case "yield":
                return self._yield(token)
        return self.keyword(token)

    def _jump_value(self) -> Expression | None:
        ends = self.at("newline") or self.at("end") or self.at("operator", "}", ")")
        return None if ends or self.at("keyword", "if", "unless", "end") else self.expression()

    def _yield(self, token: Token) -> Expression:
        if self.at_bracket("("):
            self.take()
            return Yield(self.arguments(")").positional, token.offset)
        follows = self.argument_follows(Token("name", "yield", token.offset))
        return Yield(self.arguments(None).positional if follows else (), token.offset)

    def defined(self, token: Token) -> Expression:
        if self.at_bracket("("):
            return self.postfix(Defined(self.primary(), token.offset))
        return Defined(self.postfix(self.primary()), token.offset)

    def _bracketed(self, token: Token) -> Expression:
        match token.value:
            case "(":
                return self._parenthesised(token)
            case "[":
                given = self.arguments("]")
                pairs = [(self._symbol(name or "", token.offset), value) for name, value in given.keywords]
                last = (MapLiteral(tuple(pairs), token.offset),) if pairs else ()
                return ListLiteral((*given.positional, *last), token.offset)
            case "{":
                return self._map(token)
            case "->":
                return self._arrow(token)
            case "::" if self.peek.kind == "constant":
                return self._constant(self.take())
        raise unexpected(token)

    @staticmethod
    def _symbol(name: str, offset: int) -> SymbolLiteral:
        return SymbolLiteral(Text((name,), offset), offset)

    def _parenthesised(self, token: Token) -> Expression:
        with self.nested():
            before, self._without_do = self._without_do, 0
            body = self.body(")")
            self._without_do = before
        self.expect("operator", ")")
        return Sequence(body, token.offset)

    def _map(self, token: Token) -> Expression:
        pairs: list[tuple[Expression | None, Expression]] = []
        self.skip_newlines()
        while not self.accept("operator", "}"):
            if label := self.accept("label"):
                pairs.append(self.label_pair(label))
            elif self.accept("operator", "**"):
                pairs.append((None, self.expression()))
            else:
                pairs.append(self._pair())
            self.skip_newlines()
            if not self.accept("operator", ","):
                self.expect("operator", "}")
                break
            self.skip_newlines()
        return MapLiteral(tuple(pairs), token.offset)

    def _pair(self) -> tuple[Expression, Expression]:
        key = self.expression()
        if isinstance(key, Text) and self.accept("operator", ":"):
            key = SymbolLiteral(key, key.offset)
        else:
            self.expect("operator", "=>")
        self.skip_newlines()
        return key, self.expression()

    # -- blocks

    def _arrow(self, token: Token) -> Expression:
        if self.accept("operator", "("):
            parameters = self.parameters(")")
        else:
            parameters = () if self._block_follows() else self.parameters(None)
        opener = self.take()
        if (opener.kind, opener.value) not in (("operator", "{"), ("keyword", "do")):
            raise unexpected(opener)
        return Lambda(self._block_body(opener, parameters), True, token.offset)

    def block_of_call(self) -> Block | None:
        if not self._block_follows():
            return None
        opener = self.take()
        parameters = self.parameters("|") if self.accept("operator", "|") else ()
        if self.accept("operator", "||"):
            parameters = ()
        return self._block_body(opener, parameters)

    def _block_body(self, opener: Token, parameters: tuple[Parameter, ...]) -> Block:
        implicit: set[str] = set()
        around, self.implicit = self.implicit, [*self.implicit, implicit]
        with self.nested(), self.own_scope(*_names(parameters)):
            if opener.value == "{":
                body = self.body("}")
                self.expect("operator", "}")
            else:
                body = self.rescuing_body(opener.offset)
        self.implicit = around
        return Block(parameters or _implicit_parameters(implicit), body, opener.offset)

    def rescuing_body(self, offset: int) -> tuple[Statement, ...]:
        """Parse a body with `rescue` and `ensure` up to its `end`, which is taken."""
        raise NotImplementedError

    def parameters(self, closer: str | None) -> tuple[Parameter, ...]:
        """Parse parameters up to the closing bracket, which is taken; without one, as many as follow."""
        found: list[Parameter] = []
        while True:
            self.skip_newlines()
            if closer is not None and self.accept("operator", closer):
                return tuple(found)
            found.append(self._parameter(closer))
            if closer == "|" and self.peek.kind == "newline" and self.ahead(1).kind == "name":
                raise unsupported("a block's own variable", self.peek.offset)
            if not self.accept("operator", ","):
                if closer is not None:
                    self.skip_newlines()
                    self.expect("operator", closer)
                return tuple(found)
            if closer == "|" and self.at("operator", closer):
                found.append(Parameter("rest", ""))  # `|a, |` takes a list apart and keeps its first item

    def _parameter(self, closer: str | None) -> Parameter:
        if self.accept("operator", "("):
            return Parameter("required", "", nested=self.parameters(")"))
        if star := self.accept("operator", "*", "**", "&"):
            kind = {"*": "rest", "**": "keys", "&": "block"}[star.value]
            name = self.accept("name")
            return Parameter(kind, name.value if name else "")
        if label := self.accept("label"):
            required = self.at("operator", ",", ")", "|") or self.at("newline") or self.at("end")
            return Parameter("key", label.value, None if required else self._default(closer))
        token = self.take()
        if token.kind != "name":
            raise unexpected(token)
        if self.accept("operator", "="):
            return Parameter("optional", token.value, self._default(closer))
        return Parameter("required", token.value)

    def _default(self, closer: str | None) -> Expression:
        """Parse a default value; `|` ends the parameters of a block and is no operator there."""
        return self.expression() if closer == ")" else self.tighter_than_bar()


def _implicit_parameters(used: set[str]) -> tuple[Parameter, ...]:
    """Return implicit parameters: one for `it` or `_1`, two for `_2`, and so on."""
    if "it" in used:
        return (Parameter("required", "it"),)
    count = max((int(name[1:]) for name in used), default=0)
    return tuple(Parameter("required", f"_{number}") for number in range(1, count + 1))


def _names(parameters: tuple[Parameter, ...]) -> tuple[str, ...]:
    return tuple(name for each in parameters for name in (each.name, *_names(each.nested)) if name)
