"""Parses statements and the constructs that begin with a keyword."""

from __future__ import annotations

from pykamal.erb.ast import (
    Assignment,
    Begin,
    Binary,
    Block,
    Body,
    Case,
    Condition,
    Definition,
    Expression,
    For,
    ListLiteral,
    Loop,
    MultipleAssignment,
    Output,
    Parameter,
    Rescue,
    Splat,
    Statement,
    Unary,
    Variable,
    Verbatim,
)
from pykamal.erb.cursor import unexpected
from pykamal.erb.errors import TemplateError, unsupported
from pykamal.erb.lexer import Lexer
from pykamal.erb.primaries import PrimaryParser
from pykamal.erb.tags import Part, PartKind
from pykamal.erb.tokens import MAXIMUM_TOKENS, Token


def parse(parts: list[Part]) -> Body:
    """Parse a template. Raises TemplateError for code outside the subset."""
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
    return Parser(tokens).program()


class Parser(PrimaryParser):
    def program(self) -> Body:
        body = self.body()
        if self.peek.kind != "end":
            raise unexpected(self.peek)
        return body

    def interpolated(self, tokens: list[Token]) -> Body:
        return self._inner(tokens, self._depth + 1).program()

    def _inner(self, tokens: list[Token], depth: int) -> Parser:
        parser = Parser(tokens, depth, self.scopes)
        parser.implicit = self.implicit
        return parser

    # -- statements

    def body(self, *ends: str) -> Body:
        """Parse statements up to one of the keywords or brackets, which is not taken."""
        statements: list[Statement] = []
        while True:
            self.skip_newlines()
            if self.at("end") or (self.peek.kind in ("keyword", "operator") and self.peek.value in ends):
                return tuple(statements)
            statements.append(self._statement(ends))

    def _statement(self, ends: tuple[str, ...]) -> Statement:
        if token := self.accept("text"):
            return Verbatim(token.value, token.offset)
        if token := self.accept("output"):
            return Output(self._inner(token.value, self._depth).program(), token.offset)
        value = self._modified()
        if not (self.at("newline") or self.at("end") or (self.peek.value in ends and self.peek.kind != "string")):
            raise unexpected(self.peek)
        return value

    def _modified(self) -> Expression:
        """Parse an expression with a modifier: `if`, `unless`, `while`, `until` or `rescue`."""
        begun = self.at("keyword", "begin")
        value = self._several_targets() or self._assigned_list(self.low_logic())
        while modifier := self.accept("keyword", "if", "unless", "while", "until", "rescue"):
            if modifier.value == "rescue":
                value = self.rescued(value, self.low_logic(), modifier.offset)
                continue
            test = self.low_logic()
            if modifier.value in ("while", "until"):
                wanted = modifier.value == "while"
                value = Loop(test, wanted, begun and isinstance(value, Begin), (value,), modifier.offset)
                continue
            taken, skipped = ((value,), ()) if modifier.value == "if" else ((), (value,))
            value = Condition(test, taken, skipped, modifier.offset)
        return value

    def _assigned_list(self, value: Expression) -> Expression:
        """Parse an assigned value: `x = 1, 2` is `x = [1, 2]`."""
        if not isinstance(value, Assignment) or value.operator != "=" or not self.at("operator", ","):
            return value
        items = [value.value]
        while self.accept("operator", ","):
            self.skip_newlines()
            items.append(self._item())
        return Assignment(value.target, "=", ListLiteral(tuple(items), value.offset), value.offset)

    def low_logic(self) -> Expression:
        value = self._not()
        while token := self.accept("keyword", "and", "or"):
            self.skip_newlines()
            value = Binary("&&" if token.value == "and" else "||", value, self._not(), token.offset)
        return value

    def _not(self) -> Expression:
        if token := self.accept("keyword", "not"):
            with self.nested():
                return Unary("!", self._not(), token.offset)
        return self.expression()

    # -- `a, b = 1, 2`

    def _several_targets(self) -> Expression | None:
        if not self._targets_ahead():
            return None
        targets = self._targets("=")
        token = self.expect("operator", "=")
        self.skip_newlines()
        first = self._item()
        if not self.at("operator", ",") and not isinstance(first, Splat):
            return MultipleAssignment(targets, first, token.offset)
        items = [first]
        while self.accept("operator", ","):
            self.skip_newlines()
            items.append(self._item())
        return MultipleAssignment(targets, ListLiteral(tuple(items), token.offset), token.offset)

    def _targets_ahead(self) -> bool:
        """Return True for a multiple assignment: a comma behind the statement's first name, `=` behind the last one."""
        index = commas = level = 0
        while True:
            token = self.ahead(index)
            index += 1
            if token.kind in ("name", "variable"):
                continue
            if token.kind != "operator":
                return False
            if token.value in ("(", ")"):
                level += 1 if token.value == "(" else -1
            elif token.value == ",":
                commas += level == 0
            elif token.value != "*":
                return token.value == "=" and level == 0 and (commas > 0 or self.at("operator", "*"))

    def _targets(self, *ends: str) -> tuple[Expression, ...]:
        targets: list[Expression] = []
        while True:
            token = self.take()
            if token.kind == "operator" and token.value == "*":
                name = self.take()
                targets.append(Splat(Variable(name.value, True, name.offset), token.offset))
            elif token.kind in ("name", "variable"):
                targets.append(Variable(token.value, True, token.offset))
            elif token.kind == "operator" and token.value == "(":
                targets.append(ListLiteral(self._targets(")"), token.offset))
                self.expect("operator", ")")
            else:
                raise unsupported("this assignment", token.offset)
            self.declare(targets[-1])
            if not self.accept("operator", ","):
                return tuple(targets)
            if self.peek.kind in ("operator", "keyword") and self.peek.value in ends:
                return tuple(targets)

    def _item(self) -> Expression:
        if star := self.accept("operator", "*"):
            return Splat(self.expression(), star.offset)
        return self.expression()

    # -- constructs

    def keyword(self, token: Token) -> Expression:
        with self.nested():
            match token.value:
                case "if" | "unless":
                    return self._condition(token)
                case "case":
                    return self._case(token)
                case "while" | "until":
                    return self._loop(token)
                case "for":
                    return self._for(token)
                case "begin":
                    return self._begin(token)
                case "def":
                    return self._definition(token)
                case "self":
                    raise unsupported("`self`", token.offset, "Call the method by its name.")
        raise unexpected(token)

    def _condition(self, token: Token) -> Expression:
        test = self.low_logic()
        self.accept("keyword", "then")
        then = self.body("elsif", "else", "end")
        otherwise: Body = ()
        if following := self.accept("keyword", "elsif"):
            with self.nested():
                otherwise = (self._condition(following),)
        else:
            if self.accept("keyword", "else"):
                otherwise = self.body("end")
            self.expect("keyword", "end")
        if token.value == "unless":
            then, otherwise = otherwise, then
        return Condition(test, then, otherwise, token.offset)

    def _case(self, token: Token) -> Expression:
        subject = None if self.at("keyword", "when") or self.at("newline") else self.expression()
        self.skip_newlines()
        if self.at("keyword", "in"):
            raise unsupported("`case ... in`", self.peek.offset, "Write `case ... when`.")
        branches: list[tuple[tuple[Expression, ...], Body]] = []
        while self.accept("keyword", "when"):
            tests = [self._item()]
            while self.accept("operator", ","):
                self.skip_newlines()
                tests.append(self._item())
            self.accept("keyword", "then")
            branches.append((tuple(tests), self.body("when", "else", "end")))
        otherwise = self.body("end") if self.accept("keyword", "else") else ()
        self.expect("keyword", "end")
        return Case(subject, tuple(branches), otherwise, token.offset)

    def _loop(self, token: Token) -> Expression:
        with self.without_do():
            test = self.low_logic()
        self.accept("keyword", "do")
        body = self.body("end")
        self.expect("keyword", "end")
        return Loop(test, token.value == "while", False, body, token.offset)

    def _for(self, token: Token) -> Expression:
        targets = self._targets("in")
        self.expect("keyword", "in")
        with self.without_do():
            items = self.low_logic()
        self.accept("keyword", "do")
        body = self.body("end")
        self.expect("keyword", "end")
        return For(targets, items, body, token.offset)

    def _begin(self, token: Token) -> Expression:
        body = self.rescuing_body(token.offset)
        first = body[0] if len(body) == 1 else None
        return first if isinstance(first, Begin) else Begin(body, (), (), (), token.offset)

    def rescuing_body(self, offset: int) -> Body:
        body = self.body("rescue", "else", "ensure", "end")
        rescues: list[Rescue] = []
        while self.accept("keyword", "rescue"):
            rescues.append(self._rescue())
        otherwise = self.body("ensure", "end") if self.accept("keyword", "else") else ()
        ensure = self.body("end") if self.accept("keyword", "ensure") else ()
        self.expect("keyword", "end")
        return (Begin(body, tuple(rescues), otherwise, ensure, offset),) if rescues or ensure else body

    def _rescue(self) -> Rescue:
        classes: list[Expression] = []
        while not (self.at("newline") or self.at("keyword", "then") or self.at("operator", "=>")):
            classes.append(self._item())
            if not self.accept("operator", ","):
                break
            self.skip_newlines()
        target: Expression | None = None
        if self.accept("operator", "=>"):
            name = self.take()
            if name.kind not in ("name", "variable"):
                raise unexpected(name)
            target = Variable(name.value, True, name.offset)
            self.declare(target)
        self.accept("keyword", "then")
        return Rescue(tuple(classes), target, self.body("rescue", "else", "ensure", "end"))

    def _definition(self, token: Token) -> Expression:
        name = self.take()
        if name.kind not in ("name", "constant") or self.at("operator", "."):
            raise unsupported("a method of this kind", name.offset, "Write `def name(parameters)`.")
        around, self.scopes = self.scopes, [set()]  # a method does not see the variables around it
        parameters: tuple[Parameter, ...] = ()
        if self.accept("operator", "("):
            parameters = self.parameters(")")
        elif not self.at("newline") and not self.at("operator", "="):
            parameters = self.parameters(None)
        self.scopes[-1].update(each.name for each in parameters)
        if self.accept("operator", "="):
            self.skip_newlines()
            body: Body = (self._modified(),)
        else:
            body = self.rescuing_body(token.offset)
        self.scopes = around
        return Definition(name.value, Block(parameters, body, token.offset), token.offset)
