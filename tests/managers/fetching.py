"""Fetching with an adapter in tests: its values, or its error without anything secret."""

from __future__ import annotations

import pytest

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.protocol import Adapter


def fetch_with(
    adapter: Adapter, *names: str, account: str | None = None, source: str | None = None
) -> dict[str, str | None]:
    found = adapter.fetch(names, account=account, source=source)
    return {name: value.reveal() if value is not None else None for name, value in found.items()}


def failure_of(
    adapter: Adapter, *names: str, canary: str, account: str | None = None, source: str | None = None
) -> KamalError:
    """The error of a fetch, which has nothing of a value or of a login's secret."""
    with pytest.raises(KamalError) as caught:
        fetch_with(adapter, *names, account=account, source=source)
    error = caught.value
    assert error.hint
    assert canary not in f"{error.message} {error.hint} {error.details}"
    assert error.__cause__ is None
    return error
