"""Fetching with the adapter `vault` in tests: one adapter is one run of kamal."""

from __future__ import annotations

from typing import Protocol

from pykamal.secrets.adapters.lent_values import Lease, LeasedValues
from pykamal.secrets.adapters.vault import Vault

CANARY = "canary-77c1"


class At(Protocol):
    """The fixture `at`: sets the environment to one server, one login and other variables of `VAULT_`."""

    def __call__(self, address: str, token: str | None = None, **settings: str) -> None: ...


def fetch(*names: str, source: str | None = None, run: Vault | None = None) -> dict[str, str | None]:
    """Fetch in a run of its own, or as one more fetch of a run."""
    found = (run or Vault()).fetch(names, account=None, source=source)
    return {name: value.reveal() if value is not None else None for name, value in found.items()}


def fetch_leased(*names: str, run: Vault | None = None) -> tuple[list[str | None], tuple[Lease, ...]]:
    """Fetch what is generated; the values, and their leases."""
    found = (run or Vault()).fetch(names, account=None, source=None)
    assert isinstance(found, LeasedValues)
    return [value.reveal() if value is not None else None for value in found.values()], found.leases
