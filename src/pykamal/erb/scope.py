"""Where the names of a template live."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pykamal.erb.ast import Block


class Main:
    """Ruby's main object: instance variables, methods and constants, which all templates of one run share."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.shared: set[str] = set()
        self.methods: dict[str, Block] = {}
        self.constants: dict[str, Any] = {}


@dataclass(slots=True)
class Frame:
    """One call of a method of the template: what `return` leaves and `yield` calls."""

    block: Any = None
    method: str | None = None


@dataclass(slots=True)
class Scope:
    """Local variables; a block sees those around it, a method does not."""

    variables: dict[str, Any] = field(default_factory=dict)
    outer: Scope | None = None
    frame: Frame = field(default_factory=Frame)
    shared: frozenset[str] = frozenset()
    """Names whose text something else holds too: changing it in place would have to change that as well."""

    def holder(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None and name not in scope.variables:
            scope = scope.outer
        return scope

    def get(self, name: str) -> Any:
        holder = self.holder(name)
        return None if holder is None else holder.variables[name]

    def set(self, name: str, value: Any, *, shared: bool = False) -> None:
        holder = self.holder(name) or self
        holder.variables[name] = value
        if shared or name in holder.shared:
            holder.shared = holder.shared | {name} if shared else holder.shared - {name}

    def names(self) -> list[str]:
        inner = list(self.variables)
        return inner if self.outer is None else [*inner, *self.outer.names()]
