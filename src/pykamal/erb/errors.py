"""Why a template cannot be rendered."""

from __future__ import annotations

from pykamal.core.source import Position


class TemplateError(Exception):
    """`offset` counts characters of the template. `label` is the class that Ruby names for the same failure."""

    def __init__(self, message: str, offset: int, *, label: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.label = label
        self.hint = hint

    def position(self, file: str, source: str) -> Position:
        """The place in the template whose text is `source`."""
        line = source.count("\n", 0, self.offset) + 1
        return Position(file, line, self.offset - source.rfind("\n", 0, self.offset))


class RubyError(Exception):
    """A failure inside a function of a template that Ruby would raise too; `label` is its class."""

    def __init__(self, message: str, label: str) -> None:
        super().__init__(message)
        self.message = message
        self.label = label


SUPPORTED = (
    "Supported are ENV, texts with #{...}, back-ticks, File.read, Dotenv.load, numbers, lists, maps, if/unless/case, "
    "each/map and the usual methods of texts and lists. Put anything else into an environment variable or a script "
    "and read it with ENV[...] or `...`."
)


def unsupported(what: str, offset: int, instead: str | None = None) -> TemplateError:
    """For Ruby that this tool does not evaluate."""
    hint = instead if instead is not None else SUPPORTED
    return TemplateError(f"{what} is not supported in templates", offset, label="SyntaxError", hint=hint)
