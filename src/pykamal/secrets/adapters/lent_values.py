"""Leases: what a secret manager generated for a run and takes back after a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pykamal.core.sensitive import Sensitive


@dataclass(frozen=True, slots=True)
class Lease:
    """A loan of credentials that a manager generated, and takes back after so many seconds. None of it is secret.

    `manager` and `path` tell whose they are, and `identifier` is what renews or revokes them there.
    """

    manager: str
    path: str
    identifier: str
    seconds: int

    def __str__(self) -> str:
        return f"Leased {self.path} of {self.manager} for {self.seconds} seconds: lease {self.identifier}"


class LeasedValues(dict[str, Sensitive | None]):
    """Values of which some may be lent, as `fetch` of an adapter returns them.

    The audit log of a host that gets secrets of the run names the leases.
    """

    def __init__(self, values: Mapping[str, Sensitive | None], leases: Iterable[Lease]) -> None:
        super().__init__(values)
        self.leases = tuple(leases)
