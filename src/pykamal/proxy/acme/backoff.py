"""Pauses after failed orders, so that neither an authority nor an application is flooded.

The pauses after failures outlive the process: a proxy that starts again and again would else use up in minutes what an
authority allows in a week.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pykamal.proxy.acme.certificate_spec import CertificateSpec
from pykamal.proxy.contract import SECOND
from pykamal.proxy.durations import format_duration
from pykamal.proxy.json_log import log
from pykamal.proxy.services import Service

PAUSES_FILE = "certificate-pauses.json"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 3600.0
LONGEST_ASKED_PAUSE_S = 7 * 86400.0
DENIAL_PAUSE_S = 10.0
PAUSES_KEPT, PAUSES_SAVED = 10_000, 1000
_FAILED_BEFORE = "it failed before this start; a deploy of the service orders at once"
_ASKED_BEFORE = "the authority asked for this time before this start"


@dataclass(frozen=True, slots=True)
class _Pause:
    """Without a service it holds for every service that wants the certificate."""

    service: Service | None
    length_s: float
    end: float


class Backoff:
    """One for each certificate. A deploy, which makes another service, ends it unless an authority asked for it.

    `file` keeps them over a restart; `services` are those of that moment, by name.
    """

    def __init__(self, file: Path, services: Mapping[str, Service]) -> None:
        self._file = file
        self._pauses: dict[CertificateSpec, _Pause] = {}
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):  # without it orders go on
            self._read(services)

    def end(self, wanted: CertificateSpec, service: Service) -> float:
        """Return the time of the next order (seconds since the epoch), 0 without a pause."""
        pause = self._pauses.get(wanted)
        return pause.end if pause is not None and (pause.service is None or pause.service is service) else 0

    def deny(self, wanted: CertificateSpec, service: Service) -> None:
        """Begins the pause after a denial."""
        self._begin(wanted, service, DENIAL_PAUSE_S)

    def fail(self, wanted: CertificateSpec, service: Service, *, at_a_limit: bool, asked_s: float = 0) -> float:
        """Begins the pause after a failure and returns its length in seconds: what the authority asked for (0 if it did
        not), else twice as long as the one before."""
        before = self._pauses.get(wanted)
        length_s = LONGEST_PAUSE_S if at_a_limit else FIRST_PAUSE_S
        if asked_s > 0:
            length_s = min(LONGEST_ASKED_PAUSE_S, max(FIRST_PAUSE_S, asked_s))
        elif before is not None and before.service is service:
            length_s = min(LONGEST_PAUSE_S, max(length_s, 2 * before.length_s))
        self._begin(wanted, None if asked_s > 0 else service, length_s)
        self._save()
        return length_s

    def forget(self, wanted: CertificateSpec) -> None:
        """After a success the next failure counts as the first."""
        if self._pauses.pop(wanted, None) is not None:
            self._save()

    def _begin(self, wanted: CertificateSpec, service: Service | None, length_s: float) -> None:
        self._pauses.pop(wanted, None)
        if len(self._pauses) >= PAUSES_KEPT:
            del self._pauses[next(iter(self._pauses))]
        self._pauses[wanted] = _Pause(service, length_s, time.time() + length_s)

    def _save(self) -> None:
        lasting = [item for item in self._pauses.items() if item[1].length_s > DENIAL_PAUSE_S]
        records = [
            {
                "certificate": asdict(wanted),
                "service": pause.service and pause.service.name,
                "length_s": pause.length_s,
                "end": pause.end,
            }
            for wanted, pause in lasting[-PAUSES_SAVED:]
        ]
        new = self._file.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk costs no more than an order after the next start
            new.write_text(json.dumps(records))
            new.replace(self._file)

    def _read(self, services: Mapping[str, Service]) -> None:
        now = time.time()
        for record in json.loads(self._file.read_text()):
            wanted, name = CertificateSpec(**record["certificate"]), record["service"]
            length_s, end = float(record["length_s"]), float(record["end"])
            # An end that is further away than the pause was long is one by another clock.
            if end <= now + length_s and (name is None or name in services):
                self._pauses[wanted] = _Pause(services.get(name), length_s, end)
                if end > now:
                    remedy = _FAILED_BEFORE if name else _ASKED_BEFORE
                    log("WARN", "No order for a certificate yet", host=wanted.host, directory=wanted.directory_url,
                        retry_in=format_duration(int(end - now) * SECOND), remedy=remedy)  # fmt: skip
