"""Renders templates; the entry point of this package (spec/config.md 1.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pykamal.erb.ast import Body
from pykamal.erb.budget import Budget, BudgetExceeded
from pykamal.erb.builtins import NO_EXTENSIONS, Builtins, Extensions
from pykamal.erb.comments import Comments, located
from pykamal.erb.errors import RubyError, TemplateError, Unsupported
from pykamal.erb.interpreter import Interpreter
from pykamal.erb.parser import parse
from pykamal.erb.procs import Jumped
from pykamal.erb.rendered import Rendered
from pykamal.erb.scope import Main, Scope
from pykamal.erb.system import CommandRefused, System
from pykamal.erb.tags import Part, PartKind, parts

_DEEPEST_TEMPLATE: Final = 3


@dataclass(slots=True)
class Session:
    """The state that templates of one run share. `environment` is their ENV, which they may change.

    The budget is for all of them together.
    """

    environment: dict[str, str]
    system: System
    extensions: Extensions = NO_EXTENSIONS
    budget: Budget = field(default_factory=Budget)
    main: Main = field(default_factory=Main)


def render(file: str, source: str, session: Session, *, forgives_comments: bool = False) -> Rendered:
    """Render a template. Raises TemplateError with the place of the expression that failed or is not supported.

    With `forgives_comments`, for YAML, tags that fail behind a `#` of their line are left out and told in the result.
    """
    builtins = Builtins(session.environment, session.system, session.extensions, session.main, session.budget)
    return _render(file, source, session, builtins, forgives_comments=forgives_comments)


def _render(
    file: str,
    source: str,
    session: Session,
    builtins: Builtins,
    *,
    forgives_comments: bool = False,
    trim_mode: str = "-",
    scope: Scope | None = None,
    depth: int = 0,
) -> Rendered:
    found = parts(source, trim_mode)
    comments = Comments(source, found, forgiving=forgives_comments)
    body = _parsed(found, comments, session.budget)
    interpreter = Interpreter(builtins, session.budget, comments, scope)
    builtins.nested = lambda source, trim_mode, scope: _inner(
        source, session, builtins, trim_mode=trim_mode, scope=scope, depth=depth + 1
    )
    try:
        interpreter.run(body)
    except (RubyError, Unsupported, CommandRefused) as error:
        if depth and not isinstance(error, RubyError):  # no `rescue` of the template around may catch these
            raise
        raise located(error, interpreter.offset) from None
    except BudgetExceeded as error:
        raise TemplateError(error.message, interpreter.offset, label="BudgetExceeded", hint=_BUDGET) from None
    except Jumped as jump:
        raise TemplateError(f"Invalid {jump.kind}", interpreter.offset, label="SyntaxError") from None
    except RecursionError:
        raise TemplateError("code is nested too deeply", interpreter.offset, label="BudgetExceeded") from None
    text = "".join(interpreter.chunks)
    return Rendered(
        file, source, text, interpreter.pieces, dropped=tuple(comments.dropped), printed="".join(builtins.printed)
    )


_BUDGET: Final = "Templates are for small work: do the rest in a script, and read what it prints with `...`."


def _parsed(found: list[Part], comments: Comments, budget: Budget) -> Body:
    """Parse a template. A tag in a comment that cannot be parsed is replaced by its marker."""
    size = sum(len(part.text) for part in found if part.kind is not PartKind.TEXT)
    while True:
        try:
            budget.step(1 + size // 8)
            return parse(found)
        except RecursionError:
            raise TemplateError("code is nested too deeply", 0, label="BudgetExceeded") from None
        except BudgetExceeded as error:
            raise TemplateError(error.message, 0, label="BudgetExceeded", hint=_BUDGET) from None
        except TemplateError as error:
            tag = comments.tag(error.offset)
            if tag is None or tag not in found or not comments.cover(error.offset):
                raise
            marker = Part(PartKind.TEXT, comments.drop(error, error.offset), tag.tag_offset, tag.tag_offset)
            found = [marker if part is tag else part for part in found]


def _inner(
    source: str, session: Session, builtins: Builtins, *, trim_mode: str, scope: Scope | None, depth: int
) -> str:
    """Render `ERB.new(source).result`. Its failures are those of the expression that calls it."""
    if depth > _DEEPEST_TEMPLATE:
        raise Unsupported("a template inside so many others")
    before = builtins.nested
    try:
        rendered = _render("(erb)", source, session, builtins, trim_mode=trim_mode, scope=scope, depth=depth)
        return rendered.text
    except TemplateError as error:
        line = error.position("(erb)", source).line
        if error.label == "BudgetExceeded":
            raise BudgetExceeded(error.message) from None
        raise RubyError(f"line {line} of the template inside: {error.message}", error.label or "RuntimeError") from None
    finally:
        builtins.nested = before
