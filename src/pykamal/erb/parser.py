"""From tokens to the tree: a precedence parser for the Ruby subset of templates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pykamal.erb.ast import (
    Assignment,
    Binary,
    Block,
    Body,
    Call,
    Case,
    Condition,
    Constant,
    Expression,
    ListLiteral,
    Literal,
    MapLiteral,
    Output,
    RangeLiteral,
    Shell,
    Splat,
    Statement,
    SymbolLiteral,
    Text,
    Unary,
    Variable,
    Verbatim,
)
from pykamal.erb.cursor import Cursor, unexpected
from pykamal.erb.errors import TemplateError, unsupported
from pykamal.erb.lexer import MAXIMUM_NESTING, MAXIMUM_TOKENS, Lexer, Token
from pykamal.erb.tags import Part, PartKind

_LEVELS: Final[tuple[tuple[str, ...], ...]] = (
    ("||",),
    ("&&",),
    ("==", "!=", "=~", "!~", "===", "<=>"),
    ("<", ">", "<=", ">="),
    ("|",),
    ("&",),
    ("<<",),
    ("+", "-"),
    ("*", "/", "%"),
)
_LEVEL_OF: Final = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
_ASSIGNMENTS: Final = ("=", "||=", "&&=", "+=", "-=", "*=")
_STARTS_ARGUMENT: Final = (
    "string",
    "shell",
    "int",
    "float",
    "pattern",
    "symbol",
    "words",
    "symbols",
    "name",
    "constant",
    "label",
)
_COMMANDS: Final = ("require", "require_relative", "raise", "abort", "puts", "print", "load")


def parse(parts: list[Part]) -> Body:
    """The program of a template. Raises TemplateError for code that is not in the subset."""
    tokens: list[Token] = []
    written = 0
    for part in parts:
        if part.kind is PartKind.TEXT:
            tokens.append(Token("text", part.text, part.offset))
            continue
        code = Lexer(part.text, part.offset).all()
        if part.kind is PartKind.OUTPUT:
            tokens.append(Token("output", code, part.tag_offset))
            written += len(code)
        else:
            tokens += code
        tokens.append(Token("newline", "\n", part.offset + len(part.text)))
        if len(tokens) + written > MAXIMUM_TOKENS:
            raise TemplateError(f"the template has more than {MAXIMUM_TOKENS} words of code", part.tag_offset)
    return _Parser(tokens).program()


@dataclass(frozen=True, slots=True)
class _Arguments:
    positional: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str, Expression], ...] = ()
    block: Block | None = None


class _Parser(Cursor):
    def __init__(self, tokens: list[Token], depth: int = 0) -> None:
        super().__init__(tokens)
        self._depth = depth

    def program(self) -> Body:
        body = self._body()
        if self.peek.kind != "end":
            raise unexpected(self.peek)
        return body

    def interpolated(self) -> Expression:
        self.skip_newlines()
        if self.peek.kind == "end":
            return Literal("", self.peek.offset)
        value = self._expression()
        self.skip_newlines()
        if self.peek.kind != "end":
            raise unexpected(self.peek)
        return value

    @contextmanager
    def _nested(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAXIMUM_NESTING:
            raise TemplateError("code is nested too deeply", self.peek.offset)
        yield
        self._depth -= 1

    # -- statements

    def _body(self, *ends: str) -> Body:
        """Statements up to one of the keywords, which stays."""
        statements: list[Statement] = []
        while True:
            self.skip_newlines()
            if self.at("end") or (self.at("keyword") and self.peek.value in ends) or self.at("operator", "}"):
                return tuple(statements)
            statements.append(self._statement())

    def _statement(self) -> Statement:
        if token := self.accept("text"):
            return Verbatim(token.value, token.offset)
        if token := self.accept("output"):
            return Output(_Parser(token.value, self._depth).program(), token.offset)
        return self._with_modifiers()

    def _with_modifiers(self) -> Expression:
        value = self._modified()
        if not (self.at("newline") or self.at("end") or self.at("keyword") or self.at("operator", "}")):
            raise unexpected(self.peek)
        return value

    def _modified(self) -> Expression:
        """An expression with `if` or `unless` behind it, which makes it nil where the test says so."""
        value = self._low_logic()
        while modifier := self.accept("keyword", "if", "unless"):
            test = self._low_logic()
            taken, skipped = ((value,), ()) if modifier.value == "if" else ((), (value,))
            value = Condition(test, taken, skipped, modifier.offset)
        return value

    def _low_logic(self) -> Expression:
        value = self._not()
        while token := self.accept("keyword", "and", "or"):
            self.skip_newlines()
            value = Binary("&&" if token.value == "and" else "||", value, self._not(), token.offset)
        return value

    def _not(self) -> Expression:
        if token := self.accept("keyword", "not"):
            return Unary("!", self._not(), token.offset)
        return self._expression()

    # -- expressions, loosest first

    def _expression(self) -> Expression:
        with self._nested():
            value = self._ternary()
            if isinstance(value, Variable | Call) and (token := self.accept("operator", *_ASSIGNMENTS)):
                self.skip_newlines()
                return Assignment(value, token.value, self._expression(), token.offset)
            return value

    def _ternary(self) -> Expression:
        test = self._range()
        question = self.accept("operator", "?")
        if question is None:
            return test
        self.skip_newlines()
        then = self._expression()
        self.skip_newlines()
        self.expect("operator", ":")
        self.skip_newlines()
        return Condition(test, (then,), (self._expression(),), question.offset)

    def _range(self) -> Expression:
        first = self._binary(0)
        token = self.accept("operator", "..", "...")
        if token is None:
            return first
        endless = self.at("operator", "]", ")")
        last = None if endless else self._binary(0)
        return RangeLiteral(first, last, token.value == "...", token.offset)

    def _binary(self, loosest: int) -> Expression:
        """Operators that bind at least as tightly as a level."""
        value = self._unary()
        while self.at("operator") and _LEVEL_OF.get(self.peek.value, -1) >= loosest:
            token = self.take()
            self.skip_newlines()
            value = Binary(token.value, value, self._binary(_LEVEL_OF[token.value] + 1), token.offset)
        return value

    def _unary(self) -> Expression:
        value = self._negative_number()
        if value is None and (token := self.accept("operator", "!", "-")):
            with self._nested():
                return Unary(token.value, self._unary(), token.offset)
        base = self._postfix(value or self._primary())
        if token := self.accept("operator", "**"):
            return Binary("**", base, self._unary(), token.offset)
        return base

    def _negative_number(self) -> Literal | None:
        """A number with a minus right before it, as in `-3.abs`; in `-2 ** 2` the minus stands before the whole."""
        if not self.at("operator", "-"):
            return None
        number, after = self.ahead(1), self.ahead(2)
        if number.kind not in ("int", "float") or number.spaced or (after.kind, after.value) == ("operator", "**"):
            return None
        minus = self.take()
        return Literal(-self.take().value, minus.offset)

    def _postfix(self, value: Expression) -> Expression:
        while True:
            # A line that starts with a dot goes on with the expression of the line before.
            if self.skip_newlines_before("operator", ".", "&."):
                dot = self.take()
                self.skip_newlines()
                value = self._method(value, self.take(), safe=dot.value == "&.")
            elif isinstance(value, Constant) and self.accept("operator", "::"):
                name = self.take()
                if name.kind != "constant":
                    raise unexpected(name)
                value = Constant(f"{value.name}::{name.value}", value.offset)
            elif self.at_bracket("["):
                token = self.take()
                value = Call(value, "[]", self._arguments("]").positional, (), None, False, token.offset)
            else:
                return value

    def _method(self, receiver: Expression | None, name: Token, *, safe: bool = False) -> Expression:
        if name.kind not in ("name", "constant", "keyword", "label"):
            raise unexpected(name)
        given = _Arguments()
        if self.at_bracket("("):
            self.take()
            given = self._arguments(")")
        elif self._command_argument_follows(name):
            given = self._arguments(None)
        block = given.block or self._block()
        return Call(receiver, name.value, given.positional, given.keywords, block, safe, name.offset)

    def _command_argument_follows(self, name: Token) -> bool:
        """`Dotenv.load ".env"`: an argument without parentheses, on the same line after a blank."""
        following = self.peek
        return following.spaced and following.kind in _STARTS_ARGUMENT and name.kind == "name"

    def _arguments(self, closer: str | None) -> _Arguments:
        """Arguments up to the closer, which is taken; without one, up to the end of the line."""
        positional: list[Expression] = []
        keywords: list[tuple[str, Expression]] = []
        block: Block | None = None
        while True:
            if closer is not None:
                self.skip_newlines()
                if self.accept("operator", closer):
                    return _Arguments(tuple(positional), tuple(keywords), block)
            if label := self.accept("label"):
                self.skip_newlines()
                keywords.append((label.value, self._expression()))
            elif ampersand := self.accept("operator", "&"):
                symbol = self.take()
                if symbol.kind != "symbol":
                    raise unsupported("a block argument other than &:name", ampersand.offset)
                block = _symbol_block(symbol)
            elif closer is not None and (star := self.accept("operator", "*")):
                positional.append(Splat(self._expression(), star.offset))
            else:
                positional.append(self._argument())
            if closer is not None:
                self.skip_newlines()
            if not self.accept("operator", ","):
                if closer is not None:
                    self.expect("operator", closer)
                return _Arguments(tuple(positional), tuple(keywords), block)
            self.skip_newlines()

    def _argument(self) -> Expression:
        value = self._expression()
        if self.at("operator", "=>"):
            raise unsupported("`=>` between arguments", self.peek.offset, "Write name: value.")
        return value

    def _block(self) -> Block | None:
        if self.at("operator", "{"):
            offset = self.take().offset
            parameters = self._block_parameters()
            body = self._body()
            self.skip_newlines()
            self.expect("operator", "}")
            return Block(parameters, body, offset)
        if token := self.accept("keyword", "do"):
            parameters = self._block_parameters()
            body = self._body("end")
            self.expect("keyword", "end")
            return Block(parameters, body, token.offset)
        return None

    def _block_parameters(self) -> tuple[str, ...]:
        if not self.accept("operator", "|"):
            return ()
        names: list[str] = []
        while not self.accept("operator", "|"):
            if not (self.accept("operator", ",") or self.accept("operator", "(") or self.accept("operator", ")")):
                token = self.take()
                if token.kind != "name":
                    raise unexpected(token)
                names.append(token.value)
        return tuple(names)

    # -- the smallest things

    def _primary(self) -> Expression:
        token = self.take()
        match token.kind:
            case "int" | "float" | "pattern":
                return Literal(token.value, token.offset)
            case "string":
                text = self._text(token)
                while self.at("string"):
                    text = Text((*text.parts, *self._text(self.take()).parts), token.offset)
                return text
            case "shell":
                return Shell(self._text(token), token.offset)
            case "words":
                return ListLiteral(tuple(Literal(word, token.offset) for word in token.value), token.offset)
            case "symbols":
                symbols = (SymbolLiteral(Text((word,), token.offset), token.offset) for word in token.value)
                return ListLiteral(tuple(symbols), token.offset)
            case "symbol":
                return SymbolLiteral(self._text(token), token.offset)
            case "constant":
                return self._constant(token)
            case "name":
                return self._named_thing(token)
            case "keyword":
                return self._keyword(token)
            case "operator":
                return self._grouped(token)
        raise unexpected(token)

    def _constant(self, token: Token) -> Expression:
        if self.at_bracket("("):
            return self._method(None, token)
        return Constant(token.value, token.offset)

    def _named_thing(self, token: Token) -> Expression:
        if self.at_bracket("(") or (token.value in _COMMANDS and not self.at("operator", ".")):
            return self._method(None, token)
        return Variable(token.value, token.offset)

    def _keyword(self, token: Token) -> Expression:
        match token.value:
            case "nil":
                return Literal(None, token.offset)
            case "true" | "false":
                return Literal(token.value == "true", token.offset)
            case "if" | "unless":
                return self._condition(token)
            case "case":
                return self._case(token)
        raise unexpected(token)

    def _condition(self, token: Token) -> Expression:
        test = self._low_logic()
        self.accept("keyword", "then")
        then = self._body("elsif", "else", "end")
        otherwise: Body = ()
        if following := self.accept("keyword", "elsif"):
            otherwise = (self._condition(following),)
        else:
            if self.accept("keyword", "else"):
                otherwise = self._body("end")
            self.expect("keyword", "end")
        if token.value == "unless":
            then, otherwise = otherwise, then
        return Condition(test, then, otherwise, token.offset)

    def _case(self, token: Token) -> Expression:
        subject = None if self.at("keyword", "when") or self.at("newline") else self._expression()
        self.skip_newlines()
        branches: list[tuple[tuple[Expression, ...], Body]] = []
        while self.accept("keyword", "when"):
            tests = [self._expression()]
            while self.accept("operator", ","):
                self.skip_newlines()
                tests.append(self._expression())
            self.accept("keyword", "then")
            branches.append((tuple(tests), self._body("when", "else", "end")))
        otherwise = self._body("end") if self.accept("keyword", "else") else ()
        self.expect("keyword", "end")
        return Case(subject, tuple(branches), otherwise, token.offset)

    def _grouped(self, token: Token) -> Expression:
        if token.value == "(":
            self.skip_newlines()
            value = self._modified()
            self.skip_newlines()
            self.expect("operator", ")")
            return value
        if token.value == "[":
            return ListLiteral(self._arguments("]").positional, token.offset)
        if token.value == "{":
            return self._map(token)
        raise unexpected(token)

    def _map(self, token: Token) -> Expression:
        pairs: list[tuple[Expression, Expression]] = []
        self.skip_newlines()
        while not self.accept("operator", "}"):
            key: Expression
            if label := self.accept("label"):
                key = SymbolLiteral(Text((label.value,), label.offset), label.offset)
            else:
                key = self._expression()
                if isinstance(key, Text) and self.accept("operator", ":"):
                    key = SymbolLiteral(key, key.offset)
                else:
                    self.expect("operator", "=>")
            self.skip_newlines()
            pairs.append((key, self._expression()))
            self.skip_newlines()
            if not self.accept("operator", ","):
                self.expect("operator", "}")
                break
            self.skip_newlines()
        return MapLiteral(tuple(pairs), token.offset)

    def _text(self, token: Token) -> Text:
        value = [token.value] if isinstance(token.value, str) else token.value
        parts: list[str | Expression] = []
        for part in value:
            if isinstance(part, str):
                parts.append(part)
            else:
                parts.append(_Parser(part, self._depth + 1).interpolated())
        return Text(tuple(parts), token.offset)


def _symbol_block(symbol: Token) -> Block:
    """`&:strip` is the block `{ |it| it.strip }`."""
    call = Call(Variable("it", symbol.offset), symbol.value, (), (), None, False, symbol.offset)
    return Block(("it",), (call,), symbol.offset)
