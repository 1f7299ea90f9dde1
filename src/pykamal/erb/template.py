"""Rendering a template: the entry point of this package (spec/config.md 1.3)."""

from __future__ import annotations

from pykamal.erb.builtins import NO_EXTENSIONS, Builtins, Extensions
from pykamal.erb.errors import TemplateError
from pykamal.erb.interpreter import Interpreter
from pykamal.erb.parser import parse
from pykamal.erb.rendered import Rendered
from pykamal.erb.system import System
from pykamal.erb.tags import parts


def render(
    file: str,
    source: str,
    environment: dict[str, str],
    system: System,
    extensions: Extensions = NO_EXTENSIONS,
) -> Rendered:
    """The rendered file. `environment` is what the template sees as ENV, and is changed by what it assigns or loads.

    Raises TemplateError with the place of the expression that failed or is not supported.
    """
    interpreter = Interpreter(Builtins(environment, system, extensions))
    try:
        interpreter.run(parse(parts(source)))
    except RecursionError:
        raise TemplateError("code is nested too deeply", 0) from None
    return Rendered(file, source, "".join(interpreter.chunks), interpreter.pieces)
