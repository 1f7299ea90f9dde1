"""Configuration files as templates: Kamal's own constants, and failures as errors of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from pykamal.config.architecture import docker_architecture
from pykamal.config.document import ListNode, MapNode, Node, OtherKey, ScalarNode, ruby_text
from pykamal.config.problems import refusal
from pykamal.config.system import System
from pykamal.core.errors import ConfigurationError
from pykamal.core.ruby import Symbol
from pykamal.erb.builtins import Extensions
from pykamal.erb.errors import RubyError, TemplateError
from pykamal.erb.rendered import Rendered
from pykamal.erb.tags import PartKind, parts
from pykamal.erb.template import render as render_template

T = TypeVar("T")

_PLACEHOLDERS: Final = {PartKind.OUTPUT: "x", PartKind.CODE: ""}


def render(file: str, source: str, environment: dict[str, str], system: System) -> Rendered:
    """The rendered file. `environment` is what the template sees as ENV, and is changed by what it assigns or loads.

    Raises ConfigurationError with the place of the expression that failed or is not supported.
    """
    return _reported(file, source, lambda: render_template(file, source, environment, system, _extensions(system)))


def render_by_ruby(file: str, source: str, path: Path, environment: dict[str, str], system: System) -> Rendered:
    """The file rendered by the machine's own Ruby. Raises ConfigurationError when that fails."""
    from pykamal.erb.external_ruby import render_by_ruby

    hint = "Unset KAMAL_ERB to render without Ruby, or see Ruby's message above."
    return _reported(file, source, lambda: render_by_ruby(file, path, environment, system), hint)


def without_tags(file: str, source: str) -> str:
    """The text of a template as it is written, with a placeholder for what each tag would print.

    Raises ConfigurationError for a tag that never ends.
    """
    return "".join(_PLACEHOLDERS.get(part.kind, part.text) for part in _reported(file, source, lambda: parts(source)))


def _reported(file: str, source: str, action: Callable[[], T], hint: str | None = None) -> T:
    try:
        return action()
    except TemplateError as error:
        raise refusal(
            error.message,
            position=error.position(file, source),
            source=source,
            label=error.label,
            hint=error.hint or hint,
        ) from None


def _extensions(system: System) -> Extensions:
    return Extensions({("Kamal::Utils", "docker_arch"): lambda: docker_architecture(system)}, parse_yaml=_parsed_yaml)


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
