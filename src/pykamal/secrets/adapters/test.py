"""The adapter `test`: every secret is its own name reversed (spec/cli.md 16.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source


class ReversedNames:
    needs_account: ClassVar[bool] = True

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:  # noqa: ARG002 - nobody to log in to
        return {name: _value(name) for name in with_source(secrets, source)}


def _value(name: str) -> Sensitive:
    return Sensitive(name.replace("LPAREN", "(").replace("RPAREN", ")")[::-1])


ADAPTER: Final[Adapter] = ReversedNames()
