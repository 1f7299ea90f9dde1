"""Implements `Gem::Version`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pykamal.erb.errors import RubyError
from pykamal.erb.gem_version import GemVersion
from pykamal.erb.values import Method, in_message, inspected, text


@dataclass(frozen=True, slots=True, order=False)
class Version:
    CLASS: ClassVar[str] = "Gem::Version"
    METHODS: ClassVar[dict[str, Method]] = {}

    written: str
    version: GemVersion

    def __str__(self) -> str:
        return self.written

    def inspected(self) -> str:
        return f"Gem::Version.new({inspected(self.written)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.version == other.version

    def __hash__(self) -> int:
        return hash(self.version)

    def __lt__(self, other: Any) -> bool:
        return self.version < _of(other)

    def __le__(self, other: Any) -> bool:
        return self.version <= _of(other)

    def __gt__(self, other: Any) -> bool:
        return self.version > _of(other)

    def __ge__(self, other: Any) -> bool:
        return self.version >= _of(other)


def _of(other: Any) -> GemVersion:
    if isinstance(other, Version):
        return other.version
    if isinstance(other, str):
        return make(other).version
    raise TypeError


def make(value: Any) -> Version:
    if value is None:
        value = ""
    if not isinstance(value, str | int | float | Version):
        raise RubyError(f"Malformed version number string {in_message(value)}", "ArgumentError")
    written = text(value).strip()[:500] or "0"
    version = GemVersion.parse(written)
    if version is None:
        raise RubyError(f"Malformed version number string {written}", "ArgumentError")
    return Version(written, version)


def _bumped(value: Version) -> Version:
    numbers = [part for part in _released(value).version.parts if isinstance(part, int)]
    kept = numbers[:-1] if len(numbers) > 1 else numbers
    return make(".".join(map(str, [*kept[:-1], kept[-1] + 1])))


def _released(value: Version) -> Version:
    parts = value.version.parts
    first = next((index for index, part in enumerate(parts) if isinstance(part, str)), len(parts))
    return make(".".join(map(str, parts[:first]))) if first < len(parts) else value


_METHODS: Final[dict[str, Method]] = {
    "version": str,
    "segments": lambda value: list(value.version.parts),
    "bump": _bumped,
    "release": _released,
    "prerelease?": lambda value: any(isinstance(part, str) for part in value.version.parts),
    "between?": lambda value, low, high: low <= value <= high,
}
Version.METHODS.update(_METHODS)

FUNCTIONS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("Gem::Version", "new"): make,
    ("Gem::Version", "create"): make,
}
