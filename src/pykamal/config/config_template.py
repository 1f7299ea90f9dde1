"""Configuration files as templates: Kamal's own constants, and failures as errors of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from pykamal import KAMAL_VERSION
from pykamal.config.document import ListNode, MapNode, Node, OtherKey, ScalarNode, ruby_text
from pykamal.config.system import System, docker_architecture
from pykamal.core.catalogue.files import (
    COMMAND_REFUSED,
    TEMPLATE_ERROR,
    TEMPLATE_IN_COMMENT,
    TEMPLATE_LIMIT,
    TEMPLATE_OUTPUT,
    TEMPLATE_UNSUPPORTED,
)
from pykamal.core.diagnostics import Diagnostic, Location
from pykamal.core.errors import ConfigurationError, configuration_error
from pykamal.core.ruby import Symbol
from pykamal.erb.budget import Budget, Limits
from pykamal.erb.builtins import Extensions
from pykamal.erb.comments import Dropped
from pykamal.erb.errors import RubyError, TemplateError, UnsupportedRuby
from pykamal.erb.rendered import Rendered
from pykamal.erb.tags import PartKind, parts
from pykamal.erb.template import Session, render

T = TypeVar("T")

_RULES: Final = {"BudgetExceeded": TEMPLATE_LIMIT, "CommandRefused": COMMAND_REFUSED}
"""Rules by the class that a failure names."""

_PLACEHOLDERS: Final = {PartKind.OUTPUT: "x", PartKind.CODE: ""}


class Templates:
    """The templates of one run: what one of them sets is there for the next, and their budget is one.

    `environment` is what they see as ENV, and is changed by what they assign or load.
    """

    def __init__(self, environment: dict[str, str], system: System, limits: Limits | None = None) -> None:
        self._session = Session(environment, system, extensions(system), Budget(limits))

    def render(self, file: str, source: str, *, yaml: bool) -> Rendered:
        """The rendered file; what fails in comments of YAML is left for `warnings`.

        Raises ConfigurationError with the place of the expression that failed or is not supported.
        """
        return _reported(file, source, lambda: render(file, source, self._session, forgives_comments=yaml))

    def render_by_ruby(self, file: str, source: str, path: Path) -> Rendered:
        """The file rendered by the machine's own Ruby. Raises ConfigurationError when that fails."""
        from pykamal.erb.external_ruby import render_by_ruby

        session = self._session
        hint = "Unset KAMAL_ERB to render without Ruby, or see Ruby's message above."
        return _reported(file, source, lambda: render_by_ruby(file, path, session.environment, session.system), hint)


def without_tags(file: str, source: str) -> str:
    """The text of a template as it is written, with a placeholder for what each tag would print.

    Raises ConfigurationError for a tag that never ends.
    """
    return "".join(_PLACEHOLDERS.get(part.kind, part.text) for part in _reported(file, source, lambda: parts(source)))


def _reported(file: str, source: str, action: Callable[[], T], hint: str | None = None) -> T:
    try:
        return action()
    except TemplateError as error:
        raise _template_error(file, source, error, hint) from None


def _template_error(file: str, source: str, error: TemplateError, hint: str | None = None) -> ConfigurationError:
    location = Location.in_text(error.position(file, source), source)
    rule = TEMPLATE_UNSUPPORTED if isinstance(error, UnsupportedRuby) else _RULES.get(error.label or "", TEMPLATE_ERROR)
    return configuration_error(rule, error.message, location, label=error.label, hint=error.hint or hint)


def warnings(rendered: Rendered, root: Node | None) -> list[Diagnostic]:
    """Warn of what a template failed at in comments of YAML, and of what it printed.

    Raises ConfigurationError where such a failure stands in the document after all, as in a text with a `#`.
    """
    texts = list(_texts(root)) if rendered.dropped else []
    for dropped in rendered.dropped:
        if any(dropped.marker in text for text in texts):
            raise _template_error(rendered.file, rendered.source, dropped.error)
    printed = [TEMPLATE_OUTPUT.diagnostic(f"{rendered.file} printed: {line}") for line in rendered.printed.splitlines()]
    return [*(_warning(rendered, dropped) for dropped in rendered.dropped if not dropped.quiet), *printed]


def _warning(rendered: Rendered, dropped: Dropped) -> Diagnostic:
    location = Location.in_text(dropped.error.position(rendered.file, rendered.source), rendered.source)
    message = f"{dropped.error.message}. The line is a comment, so nothing is inserted there."
    return TEMPLATE_IN_COMMENT.diagnostic(message, location)


def _texts(node: Node | None) -> Iterator[str]:
    match node:
        case MapNode(entries=entries):
            for key, entry in entries.items():
                yield str(key)
                yield from _texts(entry.node)
        case ListNode(items=items):
            for item in items:
                yield from _texts(item)
        case ScalarNode(text=text):
            yield text


def extensions(system: System) -> Extensions:
    """Return the functions and constants that Kamal adds to templates of configuration files."""
    return Extensions(
        functions={("Kamal::Utils", "docker_arch"): lambda: docker_architecture(system)},
        values={"Kamal::VERSION": KAMAL_VERSION},
        parse_yaml=_parsed_yaml,
    )


def _parsed_yaml(content: str) -> Any:
    from pykamal.config.yaml_reader import read_yaml

    try:
        root, _ = read_yaml(Rendered.untouched("YAML", content))
    except ConfigurationError as error:
        raise RubyError(error.message, error.label or "ArgumentError") from None
    return False if root is None else _template_value(root)


def _template_value(node: Node) -> Any:
    """A node of a YAML document as a value of templates. Dates are texts."""
    match node:
        case MapNode(entries=entries):
            keys = ((key.value if isinstance(key, OtherKey) else key, entry) for key, entry in entries.items())
            return {key: _template_value(entry.node) for key, entry in keys}
        case ListNode(items=items):
            return [_template_value(item) for item in items]
        case ScalarNode(value=bool() | int() | float() | str() | Symbol() | None as value):
            return value
        case ScalarNode(value=value):
            return ruby_text(value)
