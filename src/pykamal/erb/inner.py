"""Implements `ERB.new(source).result`, a template inside a template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pykamal.erb.errors import Unsupported
from pykamal.erb.kernel import Binding
from pykamal.erb.scope import Scope
from pykamal.erb.values import Method, text


@dataclass(frozen=True, slots=True)
class InnerTemplate:
    CLASS: ClassVar[str] = "ERB"

    source: str
    trim_mode: str
    render: Callable[[str, str, Scope | None], str]


def _result(template: InnerTemplate, binding: Any = None) -> str:
    if binding is not None and not isinstance(binding, Binding):
        raise Unsupported("result with anything but binding")
    return template.render(template.source, template.trim_mode, None if binding is None else binding.scope)


def _result_with(template: InnerTemplate, variables: Any) -> str:
    return template.render(
        template.source, template.trim_mode, Scope({text(name): value for name, value in variables.items()})
    )


INNER_METHODS: Final[dict[str, Method]] = {"result": _result, "result_with_hash": _result_with}
