"""Parses operators, calls and their arguments, by precedence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pykamal.erb.ast import (
    Assignment,
    BareMap,
    Begin,
    Binary,
    Block,
    Body,
    Call,
    Condition,
    Constant,
    Expression,
    ListLiteral,
    Literal,
    RangeLiteral,
    Rescue,
    Splat,
    SymbolLiteral,
    Text,
    Unary,
    Variable,
)
from pykamal.erb.cursor import Cursor, unexpected
from pykamal.erb.errors import TemplateError, unsupported
from pykamal.erb.tokens import MAXIMUM_NESTING, Token

_LEVELS: Final[tuple[tuple[str, ...], ...]] = (
    ("||",),
    ("&&",),
    ("==", "!=", "=~", "!~", "===", "<=>"),
    ("<", ">", "<=", ">="),
    ("|", "^"),
    ("&",),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_LEVEL_OF: Final = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
_ASSIGNMENTS: Final = ("=", "||=", "&&=", "+=", "-=", "*=", "/=", "%=", "**=", "|=", "<<=")
_STARTS_ARGUMENT: Final = frozenset(
    ["string", "shell", "int", "float", "regexp", "symbol", "words", "symbols", "name", "variable", "constant", "label"]
)
_STARTS_ARGUMENT_KEYWORDS: Final = frozenset(["nil", "true", "false", "defined?"])
_STARTS_ARGUMENT_IF_TIGHT: Final = frozenset(["-", "*", "&", "[", "::", "**"])
"""Operators that start an argument where a blank stands before them and none follows."""


@dataclass(frozen=True, slots=True)
class Arguments:
    positional: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str | None, Expression], ...] = ()
    block: Expression | None = None


class ExpressionParser(Cursor):
    """The expression part of the parser, which adds `primary`, `block_of_call`, `body` and `low_logic`."""

    def __init__(self, tokens: list[Token], depth: int = 0, scopes: list[set[str]] | None = None) -> None:
        super().__init__(tokens)
        self._depth = depth
        self.scopes = scopes if scopes is not None else [set()]
        self._without_do = 0
        self.implicit: list[set[str]] = []
        """For each surrounding block without parameters, the implicit ones (`it`, `_1`, `_2`) that it uses."""

    def primary(self) -> Expression:
        raise NotImplementedError

    def block_of_call(self) -> Block | None:
        raise NotImplementedError

    def low_logic(self) -> Expression:
        raise NotImplementedError

    @contextmanager
    def nested(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAXIMUM_NESTING:
            raise TemplateError("code is nested too deeply", self.peek.offset, label="BudgetExceeded")
        yield
        self._depth -= 1

    # -- local variables, which decide whether a name with something behind it is a call

    def is_local(self, name: str) -> bool:
        return any(name in scope for scope in self.scopes)

    def declare(self, target: Expression) -> None:
        """Make the name a local variable from here on."""
        if isinstance(target, Variable) and not self.is_local(target.name):
            self.scopes[-1].add(target.name)
        elif isinstance(target, Splat):
            self.declare(target.value)

    # -- operators, loosest first

    def expression(self) -> Expression:
        with self.nested():
            value = self._ternary()
            if isinstance(value, Variable | Call | Constant) and (token := self.accept("operator", *_ASSIGNMENTS)):
                return self._assignment(value, token)
            return value

    def _assignment(self, target: Expression, token: Token) -> Expression:
        if isinstance(target, Call) and target.name != "[]":
            raise unsupported("assigning to an attribute", token.offset)
        if isinstance(target, Variable) and target.name.startswith("$"):
            raise unsupported(f"assigning to {target.name}", token.offset, "Use a local variable or @name.")
        self.declare(target)
        self.skip_newlines()
        if star := self.accept("operator", "*"):
            items = (Splat(self.expression(), star.offset),)
            return Assignment(target, token.value, ListLiteral(items, star.offset), token.offset)
        value = self.expression()
        if modifier := self.accept("keyword", "rescue"):  # binds to the value, not to the assignment
            value = self.rescued(value, self.expression(), modifier.offset)
        return Assignment(target, token.value, value, token.offset)

    @staticmethod
    def rescued(value: Expression, instead: Expression, offset: int) -> Expression:
        return Begin((value,), (Rescue((), None, (instead,)),), (), (), offset)

    def _ternary(self) -> Expression:
        test = self._range()
        question = self.accept("operator", "?")
        if question is None:
            return test
        self.skip_newlines()
        then = self.expression()
        self.skip_newlines()
        self.expect("operator", ":")
        self.skip_newlines()
        return Condition(test, (then,), (self.expression(),), question.offset)

    def _range(self) -> Expression:
        if beginless := self.accept("operator", "..", "..."):
            return RangeLiteral(None, self._binary(0), beginless.value == "...", beginless.offset)
        first = self._binary(0)
        token = self.accept("operator", "..", "...")
        if token is None:
            return first
        endless = self.at("operator", "]", ")") or self.at("newline") or self.at("end") or self.at("keyword", "then")
        last = None if endless else self._binary(0)
        return RangeLiteral(first, last, token.value == "...", token.offset)

    def _binary(self, loosest: int) -> Expression:
        """Parse operators of at least a level of precedence."""
        value = self._unary()
        while self.at("operator") and _LEVEL_OF.get(self.peek.value, -1) >= loosest:
            token = self.take()
            self.skip_newlines()
            value = Binary(token.value, value, self._binary(_LEVEL_OF[token.value] + 1), token.offset)
        return value

    def tighter_than_bar(self) -> Expression:
        return self._binary(_LEVEL_OF["|"] + 1)

    def _unary(self) -> Expression:
        value = self._negative_number()
        if value is None and (token := self.accept("operator", "!", "-", "+", "~")):
            with self.nested():
                return Unary(token.value, self._unary(), token.offset)
        if token := self.accept("keyword", "defined?"):
            return self.defined(token)
        base = self.postfix(value or self.primary())
        if token := self.accept("operator", "**"):
            return Binary("**", base, self._unary(), token.offset)
        return base

    def defined(self, token: Token) -> Expression:
        raise NotImplementedError

    def _negative_number(self) -> Literal | None:
        """Parse a number with a minus right before it, as in `-3.abs`; in `-2 ** 2` the minus negates the power."""
        if not self.at("operator", "-"):
            return None
        number, after = self.ahead(1), self.ahead(2)
        if number.kind not in ("int", "float") or number.spaced or (after.kind, after.value) == ("operator", "**"):
            return None
        minus = self.take()
        return Literal(-self.take().value, minus.offset)

    # -- calls

    def postfix(self, value: Expression) -> Expression:
        while True:
            # A line that starts with a dot goes on with the expression of the line before.
            if self.skip_newlines_before("operator", ".", "&."):
                dot = self.take()
                self.skip_newlines()
                if self.at("operator", "("):  # `f.(x)` is `f.call(x)`
                    value = self.method(value, Token("name", "call", dot.offset), safe=dot.value == "&.")
                else:
                    value = self.method(value, self.take(), safe=dot.value == "&.")
            elif self.at("operator", "::"):
                value = self._scoped(value)
            elif self.at_bracket("["):
                token = self.take()
                value = Call(value, "[]", self.arguments("]").positional, (), None, False, token.offset)
            else:
                return value

    def _scoped(self, value: Expression) -> Expression:
        self.take()
        name = self.take()
        constant = name.kind == "constant" and not self.at_bracket("(")
        if constant and isinstance(value, Constant):
            return Constant(f"{value.name}::{name.value}", value.offset)
        if name.kind == "name" and isinstance(value, Constant):
            return self.method(value, name)
        raise unexpected(name)

    def method(self, receiver: Expression | None, name: Token, *, safe: bool = False) -> Expression:
        if name.kind not in ("name", "constant", "keyword", "label"):
            raise unexpected(name)
        given = Arguments()
        if self.at_bracket("("):
            self.take()
            given = self.arguments(")")
        elif self.argument_follows(name):
            given = self.arguments(None)
        block = self.block_of_call()
        arguments = (receiver, name.value, given.positional, given.keywords, block, safe, name.offset)
        return Call(*arguments, block_argument=given.block)

    def argument_follows(self, name: Token) -> bool:
        """Return True where an argument without parentheses follows after a blank, as in `Dotenv.load ".env"`."""
        following, behind = self.peek, self.ahead(1)
        if not following.spaced or name.kind != "name":
            return False
        if following.kind == "operator":
            tight = following.value in _STARTS_ARGUMENT_IF_TIGHT and not behind.spaced
            return following.value in ("->", "!", "(") or (tight and behind.kind not in ("newline", "end"))
        if following.kind == "keyword":
            return following.value in _STARTS_ARGUMENT_KEYWORDS
        return following.kind in _STARTS_ARGUMENT

    def arguments(self, closer: str | None) -> Arguments:
        """Parse arguments up to the closing bracket, which is taken, or to the end of the line."""
        positional: list[Expression] = []
        keywords: list[tuple[str | None, Expression]] = []
        block: Expression | None = None
        while True:
            if closer is not None:
                self.skip_newlines()
                if self.accept("operator", closer):
                    return Arguments(tuple(positional), tuple(keywords), block)
            if label := self.accept("label"):
                keywords.append((label.value, self._labelled_value(label)))
            elif self.accept("operator", "&"):
                block = self.block_argument()
            elif star := self.accept("operator", "*", "**"):
                value = self.expression()
                if star.value == "*":
                    positional.append(Splat(value, star.offset))
                else:
                    keywords.append((None, value))
            else:
                self._positional(positional, keywords)
            if closer is not None:
                self.skip_newlines()
            if not self.accept("operator", ","):
                if closer is not None:
                    self.expect("operator", closer)
                return Arguments(tuple(positional), tuple(keywords), block)
            self.skip_newlines()

    def _positional(self, positional: list[Expression], keywords: list[tuple[str | None, Expression]]) -> None:
        value = self.expression()
        if arrow := self.accept("operator", "=>"):
            self.skip_newlines()
            self._arrow_pair(positional, keywords, value, arrow.offset)
            return
        if isinstance(value, Text) and self.at_bracket(":"):
            self.take()
            if len(value.parts) != 1 or not isinstance(value.parts[0], str):
                raise unsupported("a name made of parts", value.offset)
            keywords.append((value.parts[0], self.expression()))
            return
        positional.append(value)

    def _arrow_pair(
        self,
        positional: list[Expression],
        keywords: list[tuple[str | None, Expression]],
        key: Expression,
        offset: int,
    ) -> None:
        """Parse `key => value` among arguments: `:name =>` is a keyword; other pairs form a hash, the last argument."""
        value = self.expression()
        if isinstance(key, SymbolLiteral) and len(key.name.parts) == 1 and isinstance(key.name.parts[0], str):
            keywords.append((key.name.parts[0], value))
        elif positional and isinstance(positional[-1], BareMap):
            positional[-1] = BareMap((*positional[-1].pairs, (key, value)), positional[-1].offset)
        else:
            positional.append(BareMap(((key, value),), offset))

    def _labelled_value(self, label: Token) -> Expression:
        """Parse the value behind `name:`; in `f(name:)` it is the variable of that name."""
        if self.at("operator", ",", ")", "}"):
            return Variable(label.value, self.is_local(label.value), label.offset)
        self.skip_newlines()
        return self.expression()

    def label_pair(self, label: Token) -> tuple[Expression, Expression]:
        name = SymbolLiteral(Text((label.value,), label.offset), label.offset)
        return name, self._labelled_value(label)

    def block_argument(self) -> Expression:
        """Parse the block behind `&`: `:name` calls the method of that name."""
        return self.postfix(self.primary())

    @contextmanager
    def without_do(self) -> Iterator[None]:
        """Parse with `do` reserved for the loop whose test this is."""
        self._without_do += 1
        yield
        self._without_do -= 1

    @contextmanager
    def own_scope(self, *names: str) -> Iterator[None]:
        """Open the scope of a block: surrounding names are visible, its own end with it."""
        self.scopes.append(set(names))
        before, self._without_do = self._without_do, 0
        yield
        self._without_do = before
        self.scopes.pop()

    def body(self, *ends: str) -> Body:
        raise NotImplementedError
