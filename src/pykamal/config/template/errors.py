"""Why a template cannot be rendered; the renderer adds the file, the place and the line."""

from __future__ import annotations


class TemplateError(Exception):
    """`offset` counts characters of the template. `label` is the class that Ruby names for the same failure."""

    def __init__(self, message: str, offset: int, *, label: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.label = label
        self.hint = hint


SUPPORTED = (
    "Supported are ENV, texts with #{...}, back-ticks, File.read, Dotenv.load, numbers, lists, maps, if/unless/case, "
    "each/map and the usual methods of texts and lists. Put anything else into an environment variable or a script "
    "and read it with ENV[...] or `...`."
)


def unsupported(what: str, offset: int, instead: str | None = None) -> TemplateError:
    """For Ruby that this tool does not evaluate."""
    hint = instead if instead is not None else SUPPORTED
    return TemplateError(f"{what} is not supported in templates", offset, label="SyntaxError", hint=hint)
