"""Certificates of services with automatic TLS: found on disk, ordered when first needed, renewed in time.

One order for a host at a time, few at once; a failure is logged with its remedy and not repeated before its pause is
over (spec/proxy.md 7.3).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pykamal.proxy.acme.approval import approved
from pykamal.proxy.acme.names import is_issuable
from pykamal.proxy.acme.orders import Order, OrderFailed, place
from pykamal.proxy.acme.remedies import remedy
from pykamal.proxy.acme.store import CertificateStore, IssuedCertificate
from pykamal.proxy.certificates import origin
from pykamal.proxy.durations import SECOND, format_duration
from pykamal.proxy.environment import data_directory
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.logs import log
from pykamal.proxy.options import ServiceOptions
from pykamal.proxy.registry import Registry
from pykamal.proxy.services import Service

PRODUCTION_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
DAY_S = 86400.0
RENEWAL_WINDOW_S = 30 * DAY_S
RENEWAL_SHARE = 1 / 3
JITTER_SHARE = 0.1
FIRST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 3600.0
DENIAL_PAUSE_S = 10.0
LONGEST_REFUSAL_S = 2.0
SHORTEST_NAP_S, LONGEST_NAP_S = 1.0, 3600.0
ORDERS_AT_ONCE, APPROVALS_AT_ONCE, QUEUE_LENGTH, FAILURES_KEPT = 4, 16, 200, 10_000


@dataclass(frozen=True, slots=True)
class Authority:
    """Who issues unless a service says otherwise. `directory` is empty for Let's Encrypt; `ca_file` a bundle by which
    the directory given here is verified, empty for the system's."""

    directory: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One certificate: `directory` (empty for Let's Encrypt) and `cache_path` tell where from and where to."""

    host: str
    key_type: str
    directory: str
    cache_path: str

    @property
    def file_name(self) -> str:
        return self.host if self.key_type == "ecdsa" else f"{self.host}+{self.key_type}"

    @property
    def store(self) -> CertificateStore:
        return CertificateStore(self.cache_path, self.directory)


@dataclass(frozen=True, slots=True)
class Failure:
    """Not again before `retry_at` (epoch), unless the service was deployed anew since. `pause_s` doubles."""

    service: Service
    pause_s: float
    retry_at: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """No certificate now; asking again within `again_in` seconds is pointless."""

    again_in: float


class AutomaticCertificates:
    """`provide` answers a handshake, `allows` a challenge, `keep_renewed` runs beside them."""

    def __init__(self, registry: Registry, authority: Authority) -> None:
        directory = "" if authority.directory == PRODUCTION_DIRECTORY else authority.directory
        self._registry = registry
        self._authority = Authority(directory, authority.ca_file)
        self._orders: dict[Wanted, asyncio.Task[Refusal | None]] = {}
        self._failures: dict[Wanted, Failure] = {}
        self._valid: dict[Wanted, tuple[float, float]] = {}
        self._unsaved: dict[Wanted, IssuedCertificate] = {}
        self._looked_up: set[Wanted] = set()
        self._order_places = asyncio.Semaphore(ORDERS_AT_ONCE)
        self._approval_places = asyncio.Semaphore(APPROVALS_AT_ONCE)
        self._approvals = 0
        self._registering = asyncio.Lock()
        self._changed = asyncio.Event()

    async def provide(self, service_name: str, host: str, key_type: str) -> Refusal | None:
        """Installs the certificate in the data plane, after ordering it if need be; None when it is there."""
        service = self._registry.services.get(service_name)
        if service is None or not _may_serve(service.options, host):
            if service is not None and host in service.options.hosts:
                log("WARN", "No authority issues for this host", service=service.name, host=host,
                    remedy="use a DNS name of at least two labels, or certificate files")  # fmt: skip
            return Refusal(LONGEST_REFUSAL_S)
        wanted = self._wanted(service.options, host, key_type)
        found = self._find(wanted)
        if found is not None:
            await self._install(service.options, wanted, found)
            return None
        return self._pause_left(wanted, service) or await asyncio.shield(self._order(wanted, service))

    async def allows(self, service_name: str, host: str) -> Refusal | None:
        """Whether a challenge of this host may be fetched from the service; None when it may."""
        service = self._registry.services.get(service_name)
        if service is None or not _may_serve(service.options, host):
            return Refusal(LONGEST_REFUSAL_S)
        wanted = self._wanted(service.options, host, "ecdsa")
        if wanted in self._orders or self._find(wanted) is not None:
            return None
        return await self._refusal_of(service, host)

    async def keep_renewed(self) -> None:
        """Renews every certificate in use before its last third, or its last thirty days. Never ends."""
        while True:
            self._changed.clear()
            self._look_up_stored()
            nearest = time.time() + LONGEST_NAP_S
            for wanted, service in self._in_use():
                due = self._due(wanted, service)
                if due <= time.time() and wanted not in self._orders:
                    self._order(wanted, service)
                elif due > time.time():
                    nearest = min(nearest, due)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(SHORTEST_NAP_S, nearest - time.time())):
                    await self._changed.wait()
                await asyncio.sleep(SHORTEST_NAP_S)

    def _wanted(self, options: ServiceOptions, host: str, key_type: str) -> Wanted:
        cache_path = options.acme_cache_path or f"{data_directory()}/certs"
        return Wanted(host, key_type, options.acme_directory or self._authority.directory, cache_path)

    def _find(self, wanted: Wanted) -> IssuedCertificate | None:
        found = self._unsaved.get(wanted) or wanted.store.read(wanted.file_name)
        if found is None or found.not_after <= time.time():
            return None
        self._remember(wanted, found)
        return found

    def _remember(self, wanted: Wanted, issued: IssuedCertificate) -> None:
        if self._valid.get(wanted) != (issued.not_before, issued.not_after):
            self._valid[wanted] = (issued.not_before, issued.not_after)
            self._changed.set()

    def _pause_left(self, wanted: Wanted, service: Service) -> Refusal | None:
        failure = self._failures.get(wanted)
        if failure is None or failure.service is not service or failure.retry_at <= time.time():
            return None
        return Refusal(min(LONGEST_REFUSAL_S, failure.retry_at - time.time()))

    def _order(self, wanted: Wanted, service: Service) -> asyncio.Task[Refusal | None]:
        running = self._orders.get(wanted)
        if running is None:
            running = self._orders[wanted] = asyncio.create_task(self._obtain(wanted, service))
            running.add_done_callback(lambda _task: self._orders.pop(wanted, None))
        return running

    async def _obtain(self, wanted: Wanted, service: Service) -> Refusal | None:
        if len(self._orders) > QUEUE_LENGTH:
            log("WARN", "Too many certificates are being ordered", service=service.name, host=wanted.host)
            return Refusal(LONGEST_REFUSAL_S)
        if wanted not in self._valid:
            refusal = await self._refusal_of(service, wanted.host)
            if refusal:
                self._fail(wanted, service, DENIAL_PAUSE_S)
                return refusal
        try:
            async with self._order_places:
                issued = await self._issue(wanted, service)
            await self._install(service.options, wanted, issued)
        except (OrderFailed, ProxyError, OSError, ValueError, LookupError) as problem:
            self._fail_order(wanted, service, problem)
            return Refusal(LONGEST_REFUSAL_S)
        self._failures.pop(wanted, None)
        self._remember(wanted, issued)
        log("INFO", "Certificate issued", service=service.name, host=wanted.host, key_type=wanted.key_type,
            not_after=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued.not_after)))  # fmt: skip
        return None

    async def _refusal_of(self, service: Service, host: str) -> Refusal | None:
        if not service.options.tls_on_demand_url:
            return None
        if self._approvals >= QUEUE_LENGTH:
            log("WARN", "Too many hosts are waiting for approval", service=service.name, host=host)
            return Refusal(LONGEST_REFUSAL_S)
        self._approvals += 1
        try:
            async with self._approval_places:
                return None if await approved(service, host) else Refusal(LONGEST_REFUSAL_S)
        finally:
            self._approvals -= 1

    async def _issue(self, wanted: Wanted, service: Service) -> IssuedCertificate:
        store = wanted.store
        # While there is no account, one order goes alone, so that no second account is made.
        async with self._registering:
            account_key = store.account_key()
            if not account_key:
                return await self._place(wanted, service, "")
        return await self._place(wanted, service, account_key)

    async def _place(self, wanted: Wanted, service: Service, account_key: str) -> IssuedCertificate:
        store = wanted.store

        def keep_account(key: str) -> None:
            try:
                store.write_account_key(key)
            except OSError as problem:
                log("ERROR", "Unable to save the account's key", path=str(store.path), error=str(problem))

        async def publish_challenge(token: str, text: str) -> None:
            await self._registry.data_plane.publish_challenge(token, wanted.host, text)

        log("INFO", "Ordering certificate", service=service.name, host=wanted.host, key_type=wanted.key_type)
        ca_file = self._authority.ca_file if wanted.directory == self._authority.directory else ""
        directory = wanted.directory or PRODUCTION_DIRECTORY
        order = Order(wanted.host, wanted.key_type, directory, ca_file, account_key)
        key, chain = await place(order, keep_account, publish_challenge)
        issued = IssuedCertificate.parse(key=key, chain=chain)
        try:
            store.write(wanted.file_name, issued)
            self._unsaved.pop(wanted, None)
        except OSError as problem:
            self._unsaved[wanted] = issued
            log("ERROR", "Unable to save certificate", path=str(store.path), error=str(problem),
                remedy="make the path writable for the proxy; until then every restart orders anew")  # fmt: skip
        return issued

    async def _install(self, options: ServiceOptions, wanted: Wanted, issued: IssuedCertificate) -> None:
        key = f"{origin(options)}|{wanted.host}|{wanted.key_type}"
        await self._registry.data_plane.install_certificate(
            key, chain=issued.chain, private_key=issued.key, valid_for_s=issued.not_after - time.time()
        )

    def _fail(self, wanted: Wanted, service: Service, pause_s: float) -> None:
        self._failures.pop(wanted, None)
        if len(self._failures) >= FAILURES_KEPT:
            del self._failures[next(iter(self._failures))]
        self._failures[wanted] = Failure(service, pause_s, time.time() + pause_s)
        self._changed.set()

    def _fail_order(self, wanted: Wanted, service: Service, problem: Exception) -> None:
        kind = problem.kind if isinstance(problem, OrderFailed) else "protocol"
        before = self._failures.get(wanted)
        pause_s = FIRST_PAUSE_S
        if kind == "rateLimited":
            pause_s = LONGEST_PAUSE_S
        elif before is not None and before.service is service:
            pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * before.pause_s))
        self._fail(wanted, service, pause_s)
        directory = wanted.directory or PRODUCTION_DIRECTORY
        log("ERROR", "Unable to obtain certificate", service=service.name, host=wanted.host, directory=directory,
            kind=kind, error=str(problem) or type(problem).__name__, remedy=remedy(kind, wanted.host, directory),
            retry_in=format_duration(int(pause_s) * SECOND))  # fmt: skip

    def _look_up_stored(self) -> None:
        """Certificates that lie on disk from earlier are renewed whether or not a handshake asks for them."""
        for service in self._registry.services.values():
            for host in service.options.hosts:
                if service.options.is_automatic and is_issuable(host):
                    for key_type in ("ecdsa", "rsa"):
                        wanted = self._wanted(service.options, host, key_type)
                        if wanted not in self._looked_up:
                            self._looked_up.add(wanted)
                            self._find(wanted)

    def _in_use(self) -> Iterator[tuple[Wanted, Service]]:
        """What was issued or found and is still served; what expired is left to the next handshake."""
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
            elif service is not None and self._wanted_by(service, wanted):
                yield wanted, service

    def _wanted_by(self, service: Service, wanted: Wanted) -> bool:
        return _may_serve(service.options, wanted.host) and wanted == self._wanted(
            service.options, wanted.host, wanted.key_type
        )

    def _due(self, wanted: Wanted, service: Service) -> float:
        not_before, not_after = self._valid[wanted]
        window = min(RENEWAL_WINDOW_S, (not_after - not_before) * RENEWAL_SHARE)
        fraction = int.from_bytes(hashlib.sha256(wanted.host.encode()).digest()[:4]) / 2**32
        due = not_after - window * (1 + JITTER_SHARE * fraction)
        failure = self._failures.get(wanted)
        return max(due, failure.retry_at) if failure and failure.service is service else due


def _may_serve(options: ServiceOptions, host: str) -> bool:
    return options.is_automatic and is_issuable(host) and (bool(options.tls_on_demand_url) or host in options.hosts)
