"""The interface of a secret manager's adapter, for `kamal secrets fetch` (spec/cli.md 16.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol


class Adapter(Protocol):
    """An adapter for one secret manager. `names` are its values of `--adapter`, matched without regard to case."""

    names: ClassVar[Sequence[str]]
    needs_account: ClassVar[bool]

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Mapping[str, str]:
        """Return values by full name, in the order of `names`; `source` is `--from`, put before each name with a slash.

        Raises `DependencyError` when the manager's own tool is missing and `KamalError` when it refuses.
        """
        ...


def with_source(secrets: Sequence[str], source: str | None) -> list[str]:
    """Put `--from` before each name."""
    return [f"{source}/{name}" if source else name for name in secrets]
