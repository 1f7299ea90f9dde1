"""The ERB that people write in deploy.yml, without Ruby: a grammar and an evaluator of their own (spec/config.md 1.3).

Nothing is evaluated by Python. What a template can reach is in the tables of `methods` and `surroundings`.
"""

from __future__ import annotations

from pykamal.config.outside import Outside
from pykamal.config.problems import refusal
from pykamal.config.rendered import Rendered
from pykamal.config.template.errors import TemplateError
from pykamal.config.template.evaluator import Evaluator
from pykamal.config.template.grammar import parse
from pykamal.config.template.surroundings import Surroundings
from pykamal.config.template.tags import parts
from pykamal.core.source import Position

__all__ = ["render"]


def render(file: str, source: str, environment: dict[str, str], outside: Outside) -> Rendered:
    """The rendered file. `environment` is what the template sees as ENV, and is changed by what it assigns or loads.

    Raises ConfigurationError with the place of the expression that failed or is not supported.
    """
    evaluator = Evaluator(Surroundings(environment, outside))
    try:
        evaluator.run(parse(parts(source)))
    except RecursionError:
        raise refusal(f"{file}: code is nested too deeply") from None
    except TemplateError as error:
        line = source.count("\n", 0, error.offset) + 1
        column = error.offset - source.rfind("\n", 0, error.offset)
        raise refusal(
            error.message,
            position=Position(file, line, column),
            source=source,
            label=error.label,
            hint=error.hint,
        ) from None
    return Rendered(file, source, "".join(evaluator.chunks), evaluator.pieces)
