"""Renders templates with a Ruby of this machine, for callers who request all of Ruby."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pykamal.erb.errors import TemplateError
from pykamal.erb.rendered import Rendered
from pykamal.erb.system import CommandRefused, System

_FILE: Final = "ERB_FILE"
_LINE: Final = (
    'ruby -rerb -e \'file = ENV.fetch("ERB_FILE"); print ERB.new(File.read(file), trim_mode: "-").result, "\\n", file\''
)
"""A shell line that prints the file's name behind the text, which reveals a missing Ruby or one that failed."""


def render_by_ruby(file: str, path: Path, environment: dict[str, str], system: System) -> Rendered:
    """Return the rendered file. Its positions are those of the rendered text; variables that it sets stay in Ruby.

    Raises TemplateError when Ruby fails; its own message is on the terminal already.
    """
    try:
        output, _ = system.run_with_status(_LINE, {**environment, _FILE: str(path)})
    except CommandRefused as refused:
        raise TemplateError(str(refused), 0, label="CommandRefused") from None
    text = output.removesuffix(f"\n{path}")
    if text == output:
        raise TemplateError(f"Ruby could not render {file}", 0, label="SyntaxError")
    return Rendered.untouched(file, text)
