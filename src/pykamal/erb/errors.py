"""Errors of templates."""

from __future__ import annotations

from typing import Any

from pykamal.core.source import Position


class TemplateError(Exception):
    """A template cannot be rendered. `offset` counts its characters; `label` is Ruby's class for the same failure."""

    def __init__(self, message: str, offset: int, *, label: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.label = label
        self.hint = hint

    def position(self, file: str, source: str) -> Position:
        """Return the line and column of an offset in `source`."""
        line = source.count("\n", 0, self.offset) + 1
        return Position(file, line, self.offset - source.rfind("\n", 0, self.offset))


class UnsupportedRuby(TemplateError):
    """The template uses Ruby that is not evaluated here."""


class RubyError(Exception):
    """A failure that Ruby has too, and that `rescue` catches; `label` is its class.

    `value` is the exception itself where the template made one.
    """

    def __init__(self, message: str, label: str, *, hint: str | None = None, value: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.label = label
        self.hint = hint
        self.value = value


class RubyUnknown(RubyError):
    """The template asks for a fact about the Ruby that runs it, and none does."""


class Unsupported(Exception):
    """A running template uses Ruby outside the subset. No `rescue` catches it: Ruby would go on."""

    def __init__(self, what: str, instead: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.instead = instead


SUPPORTED = (
    "docs/configuration.md lists what templates may use. Put anything else into an environment variable or a script "
    "and read it with ENV[...] or `...`."
)


def unsupported(what: str, offset: int, instead: str | None = None) -> TemplateError:
    """Return the error for Ruby outside the subset."""
    hint = instead if instead is not None else SUPPORTED
    return UnsupportedRuby(f"{what} is not supported in templates", offset, label="SyntaxError", hint=hint)
