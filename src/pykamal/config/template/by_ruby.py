"""Templates rendered by a Ruby of this machine, for those who set KAMAL_ERB=ruby."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pykamal.config.outside import Outside
from pykamal.config.problems import refusal
from pykamal.config.rendered import Rendered

_FILE: Final = "KAMAL_ERB_FILE"
_LINE: Final = (
    'ruby -rerb -e \'file = ENV.fetch("KAMAL_ERB_FILE"); '
    'print ERB.new(File.read(file), trim_mode: "-").result, "\\n", file\''
)
"""Prints the file's name behind the text, so that a Ruby that failed half-way or is not there is noticed."""


def render_by_ruby(file: str, path: Path, environment: dict[str, str], outside: Outside) -> Rendered:
    """The rendered file. Places in it are those of the rendered text; variables that it sets stay in Ruby.

    Raises ConfigurationError when Ruby fails; its own message is on the terminal already.
    """
    output = outside.run_shell(_LINE, {**environment, _FILE: str(path)})
    text = output.removesuffix(f"\n{path}")
    if text == output:
        hint = "Unset KAMAL_ERB to render without Ruby, or see Ruby's message above."
        raise refusal(f"Ruby could not render {file}", label="SyntaxError", hint=hint)
    return Rendered.untouched(file, text)
