"""Certificates of services with automatic TLS: found on disk, ordered when first needed, renewed in time.

One order for a host at a time; a failure is logged with its remedy, and not repeated before its pause is over
(spec/proxy.md 7.3).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pykamal.proxy.acme.approval import approved
from pykamal.proxy.acme.backoff import PAUSES_FILE, Backoff
from pykamal.proxy.acme.certificate_spec import Authority, CertificateSpec, may_serve
from pykamal.proxy.acme.certificate_store import IssuedCertificate
from pykamal.proxy.acme.issuance import OrderFailed
from pykamal.proxy.acme.issuer import Issuer
from pykamal.proxy.certificates import origin
from pykamal.proxy.contract import SECOND
from pykamal.proxy.durations import format_duration
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.json_log import log
from pykamal.proxy.runtime_paths import data_directory
from pykamal.proxy.service_options import ServiceOptions
from pykamal.proxy.service_table import ServiceTable
from pykamal.proxy.services import Service

RENEWAL_WINDOW_S = 30 * 86400.0
RENEWAL_SHARE = 1 / 3
JITTER_SHARE = 0.1
LONGEST_REFUSAL_S = 2.0
SHORTEST_NAP_S, NAP_FOR_EACH_S, LONGEST_NAP_S = 0.2, 0.001, 3600.0
APPROVALS_AT_ONCE, RENEWALS_AT_ONCE, QUEUE_LENGTH = 16, 16, 200
KEY_TYPES = ("ecdsa", "rsa")

_REACH_US = (
    "point the DNS records (A and AAAA) of {host} at this server alone and let port 80 through: "
    "the authority fetches http://{host}/.well-known/acme-challenge/..."
)
_HINTS = {
    "unreachable": (
        "see that this server can reach {directory}; an authority with a certificate of its own needs "
        "KAMAL_PROXY_ACME_CA_FILE"
    ),
    **dict.fromkeys(("validation", "unauthorized", "connection", "dns", "incorrectResponse", "tls"), _REACH_US),
    "caa": "add the authority to the CAA records of {host}",
    "rejectedIdentifier": "use another name or another authority: this one does not issue for {host}",
    "rateLimited": "the authority's limit is reached and passes by itself; --tls-staging is for trying things out",
    "account": "the file {path}/acme_account+key is no key: remove it, and a new account is made",
    "missing": "install Python's acme library (Debian: python3-acme)",
    **dict.fromkeys(
        ("timeout", "unavailable"), "nothing to do if it goes away by itself; else check whether {directory} works"
    ),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """No certificate now; asking again within `again_in` seconds is pointless."""

    again_in: float = LONGEST_REFUSAL_S


class CertificateManager:
    """`provide` answers a handshake, `allows` a challenge, `keep_renewed` runs beside them."""

    def __init__(self, registry: ServiceTable, authority: Authority) -> None:
        self._registry = registry
        self._authority = authority
        self._issuer = Issuer(authority, registry.data_plane)
        self._backoff = Backoff(Path(data_directory(), PAUSES_FILE), registry.services)
        self._orders: dict[CertificateSpec, asyncio.Task[Refusal | None]] = {}
        self._valid: dict[CertificateSpec, tuple[float, float]] = {}
        self._looked_up: dict[str, Service] = {}
        self._approvals = 0
        self._approval_places = asyncio.Semaphore(APPROVALS_AT_ONCE)
        self._changed = asyncio.Event()

    async def provide(self, service_name: str, host: str, key_type: str) -> Refusal | None:
        """Installs the certificate in the data plane, after ordering it if need be; None when it is there."""
        service = self._registry.services.get(service_name)
        if service is None or not may_serve(service.options, host):
            if service is not None and host in service.options.hosts:
                advice = "use a DNS name of at least two labels, or certificate files"
                log("WARN", "No authority issues for this host", service=service.name, host=host, remedy=advice)
            return Refusal()
        wanted = CertificateSpec.by(service.options, host, key_type, self._authority)
        found = self._find(wanted)
        if found is not None:
            await self._install(service.options, wanted, found)
            return None
        pause_left_s = self._backoff.end(wanted, service) - time.time()
        if pause_left_s > 0:
            return Refusal(min(LONGEST_REFUSAL_S, pause_left_s))
        return await asyncio.shield(self._order(wanted, service))

    async def allows(self, service_name: str, host: str) -> Refusal | None:
        """Return a refusal when no challenge of this host may be fetched where the service answers, else None."""
        service = self._registry.services.get(service_name)
        root = self._registry.root_of(service) if service else None
        if root is None or not may_serve(root.options, host):
            return Refusal()
        wanted = CertificateSpec.by(root.options, host, KEY_TYPES[0], self._authority)
        return None if wanted in self._orders else await self._refusal_of(root, wanted)

    async def keep_renewed(self) -> None:
        """Renews every certificate in use in its last third, or its last thirty days. Never ends."""
        while True:
            self._changed.clear()
            await self._look_up_stored()
            nearest = time.time() + LONGEST_NAP_S
            for wanted, service in self._in_use():
                due = max(self._renewal_time(wanted), self._backoff.end(wanted, service))
                if due > time.time():
                    nearest = min(nearest, due)
                elif len(self._orders) < RENEWALS_AT_ONCE:  # more when these are done: handshakes wait behind them
                    self._order(wanted, service)
                await asyncio.sleep(0)  # thousands of certificates are looked through beside the clients' commands
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(nearest - time.time()):
                    await self._changed.wait()
            await asyncio.sleep(SHORTEST_NAP_S + len(self._valid) * NAP_FOR_EACH_S)

    def _find(self, wanted: CertificateSpec) -> IssuedCertificate | None:
        found = self._issuer.find(wanted)
        if found is not None:
            self._remember(wanted, found)
        return found

    def _remember(self, wanted: CertificateSpec, issued: IssuedCertificate) -> None:
        period = (issued.not_before, issued.not_after)
        if self._valid.get(wanted) != period:
            self._valid[wanted] = period
            self._changed.set()

    def _order(self, wanted: CertificateSpec, service: Service) -> asyncio.Task[Refusal | None]:
        running = self._orders.get(wanted)
        if running is None:
            running = self._orders[wanted] = asyncio.create_task(self._obtain(wanted, service))
            running.add_done_callback(lambda _task: self._orders.pop(wanted, None))
        return running

    async def _obtain(self, wanted: CertificateSpec, service: Service) -> Refusal | None:
        if len(self._orders) > QUEUE_LENGTH:
            log("WARN", "Too many certificates are being ordered", service=service.name, host=wanted.host)
            return Refusal()
        try:
            refusal = await self._refusal_of(service, wanted)
            if refusal:
                self._backoff.deny(wanted, service)
                return refusal
            log("INFO", "Ordering certificate", service=service.name, host=wanted.host, key_type=wanted.key_type)
            issued = await self._issuer.issue(wanted)
            self._backoff.forget(wanted)
            end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued.not_after))
            log("INFO", "Certificate issued", service=service.name, host=wanted.host, key_type=wanted.key_type,
                not_after=end)  # fmt: skip
            self._remember(wanted, issued)
            with contextlib.suppress(ProxyError):  # the next nginx asks for it
                await self._install(service.options, wanted, issued)
        except (OrderFailed, ProxyError, OSError, ValueError, LookupError) as problem:
            self._tell_failure(wanted, service, problem)
            self._changed.set()
            return Refusal()
        return None

    async def _refusal_of(self, service: Service, wanted: CertificateSpec) -> Refusal | None:
        """Asks the application, but for a host that has a certificate already (spec/proxy.md 7.4)."""
        host = wanted.host
        if not service.options.tls_on_demand_url or any(
            self._find(replace(wanted, key_type=key_type)) for key_type in KEY_TYPES
        ):
            return None
        if self._approvals >= QUEUE_LENGTH:
            log("WARN", "Too many hosts are waiting for approval", service=service.name, host=host)
            return Refusal()
        self._approvals += 1
        try:
            async with self._approval_places:
                return None if await approved(service, host) else Refusal()
        finally:
            self._approvals -= 1

    async def _install(self, options: ServiceOptions, wanted: CertificateSpec, issued: IssuedCertificate) -> None:
        key = f"{origin(options)}|{wanted.host}|{wanted.key_type}"
        await self._registry.data_plane.install_certificate(
            key, chain=issued.chain, private_key=issued.key, valid_for_s=issued.not_after - time.time()
        )

    def _tell_failure(self, wanted: CertificateSpec, service: Service, problem: Exception) -> None:
        kind, wait_s = (problem.kind, problem.wait_s) if isinstance(problem, OrderFailed) else ("protocol", 0.0)
        pause_s = self._backoff.fail(wanted, service, at_a_limit=kind == "rateLimited", asked_s=wait_s)
        log("ERROR", "Unable to obtain certificate", service=service.name, host=wanted.host,
            directory=wanted.directory_url, kind=kind, error=str(problem) or type(problem).__name__,
            remedy=remedy(kind, wanted), retry_in=format_duration(int(pause_s) * SECOND))  # fmt: skip

    async def _look_up_stored(self) -> None:
        """Certificates that lie on disk from earlier are renewed whether or not a handshake asks for them."""
        for name, service in list(self._registry.services.items()):
            if self._looked_up.get(name) is service:
                continue
            self._looked_up[name] = service
            for host in service.options.hosts:
                if may_serve(service.options, host):
                    for key_type in KEY_TYPES:
                        self._find(CertificateSpec.by(service.options, host, key_type, self._authority))
                    await asyncio.sleep(0)

    def _in_use(self) -> Iterator[tuple[CertificateSpec, Service]]:
        """The certificates that are served and have not expired; an expired one is left to the next handshake."""
        roots = {
            host: service
            for service in self._registry.services.values()
            if service.options.is_root
            for host in service.options.hosts
        }
        for wanted, (_, not_after) in list(self._valid.items()):
            wildcard = f"*.{wanted.host.partition('.')[2]}"
            service = roots.get(wanted.host) or roots.get(wildcard) or roots.get("")
            if not_after <= time.time():
                del self._valid[wanted]
            elif service is not None and self._wants(service.options, wanted):
                yield wanted, service

    def _wants(self, options: ServiceOptions, wanted: CertificateSpec) -> bool:
        needed = CertificateSpec.by(options, wanted.host, wanted.key_type, self._authority)
        return may_serve(options, wanted.host) and wanted == needed

    def _renewal_time(self, wanted: CertificateSpec) -> float:
        """Not the same moment for all that were issued together."""
        not_before, not_after = self._valid[wanted]
        window_s = min(RENEWAL_WINDOW_S, (not_after - not_before) * RENEWAL_SHARE)
        fraction = int.from_bytes(hashlib.sha256(wanted.host.encode()).digest()[:4]) / 2**32
        return not_after - window_s * (1 + JITTER_SHARE * fraction)


def remedy(kind: str, wanted: CertificateSpec) -> str:
    """One sentence for an issuance.OrderFailed of this kind."""
    words = _HINTS.get(kind, "see the error")
    return words.format(host=wanted.host, directory=wanted.directory_url, path=wanted.store.path)
