"""How long an order that failed is not repeated, so that neither an authority nor an application is flooded."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pykamal.proxy.acme.wanted import Wanted
from pykamal.proxy.services import Service

FIRST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 3600.0
DENIAL_PAUSE_S = 10.0
PAUSES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _Pause:
    service: Service
    length_s: float
    end: float


class Pauses:
    """One for each certificate; a deploy, which makes the service another one, ends it."""

    def __init__(self) -> None:
        self._pauses: dict[Wanted, _Pause] = {}

    def end(self, wanted: Wanted, service: Service) -> float:
        """When the next order is due (seconds since the epoch), 0 without a pause."""
        pause = self._pauses.get(wanted)
        return pause.end if pause is not None and pause.service is service else 0

    def deny(self, wanted: Wanted, service: Service) -> None:
        """Begins the pause after a denial."""
        self._begin(wanted, service, DENIAL_PAUSE_S)

    def fail(self, wanted: Wanted, service: Service, *, at_a_limit: bool) -> float:
        """Begins the pause after a failure, twice as long as the one before, and returns its length in seconds."""
        before = self._pauses.get(wanted)
        length_s = LONGEST_PAUSE_S if at_a_limit else FIRST_PAUSE_S
        if before is not None and before.service is service:
            length_s = min(LONGEST_PAUSE_S, max(length_s, 2 * before.length_s))
        self._begin(wanted, service, length_s)
        return length_s

    def forget(self, wanted: Wanted) -> None:
        """After a success the next failure counts as the first."""
        self._pauses.pop(wanted, None)

    def _begin(self, wanted: Wanted, service: Service, length_s: float) -> None:
        self._pauses.pop(wanted, None)
        if len(self._pauses) >= PAUSES_KEPT:
            del self._pauses[next(iter(self._pauses))]
        self._pauses[wanted] = _Pause(service, length_s, time.time() + length_s)
