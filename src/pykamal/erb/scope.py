"""The scopes of a template's names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pykamal.erb.values import latest

if TYPE_CHECKING:
    from pykamal.erb.ast import Block


class Main:
    """Ruby's main object: instance variables, methods and constants, which all templates of one run share."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.methods: dict[str, Block] = {}
        self.constants: dict[str, Any] = {}


@dataclass(slots=True)
class Frame:
    """The frame of a call of the template's method: `return` leaves it, `yield` calls its block."""

    block: Any = None
    method: str | None = None


@dataclass(slots=True)
class Scope:
    """Local variables. A block sees those around it, a method does not."""

    variables: dict[str, Any] = field(default_factory=dict)
    outer: Scope | None = None
    frame: Frame = field(default_factory=Frame)

    def holder(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None and name not in scope.variables:
            scope = scope.outer
        return scope

    def get(self, name: str) -> Any:
        """Return a variable. Raises KeyError where no scope has the name."""
        holder = self.holder(name)
        if holder is None:
            raise KeyError(name)
        value = holder.variables[name]
        if getattr(value, "successor", None) is not None:
            value = holder.variables[name] = latest(value)
        return value

    def set(self, name: str, value: Any) -> None:
        (self.holder(name) or self).variables[name] = value

    def names(self) -> list[str]:
        inner = list(self.variables)
        return inner if self.outer is None else [*inner, *self.outer.names()]
