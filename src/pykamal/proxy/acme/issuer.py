"""Issues certificates: an order, a few at once, its challenge in the data plane, the result on disk."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from pykamal.proxy.acme.certificate_spec import Authority, CertificateSpec
from pykamal.proxy.acme.certificate_store import CertificateStore, IssuedCertificate
from pykamal.proxy.acme.issuance import Order, place
from pykamal.proxy.dataplane import DataPlane
from pykamal.proxy.json_log import log

ORDERS_AT_ONCE = 4
_WRITABLE = "make the path writable for the proxy; until then every restart orders anew"


class Issuer:
    """Certificates that cannot be written to disk are kept in memory."""

    def __init__(self, authority: Authority, data_plane: DataPlane) -> None:
        self._authority = authority
        self._data_plane = data_plane
        self._unsaved: dict[CertificateSpec, IssuedCertificate] = {}
        self._unsaved_accounts: dict[Path, str] = {}
        self._places = asyncio.Semaphore(ORDERS_AT_ONCE)
        self._registering = asyncio.Lock()

    def find(self, wanted: CertificateSpec) -> IssuedCertificate | None:
        """The certificate that was issued earlier, None when there is none or it has expired."""
        found = self._unsaved.get(wanted) or wanted.store.read(wanted.file_name)
        return found if found is not None and found.not_after > time.time() else None

    async def issue(self, wanted: CertificateSpec) -> IssuedCertificate:
        """Orders. Raises OrderFailed, ProxyError, OSError, ValueError, LookupError."""
        async with self._places:
            # While there is no account, one order goes alone, so that no second account is made.
            async with self._registering:
                account_key = self._account_key(wanted.store)
                if not account_key:
                    return await self._order(wanted, "")
            return await self._order(wanted, account_key)

    async def _order(self, wanted: CertificateSpec, account_key: str) -> IssuedCertificate:
        async def publish_challenge(token: str, text: str) -> None:
            await self._data_plane.publish_challenge(token, wanted.host, text)

        ca_file = self._authority.ca_file if wanted.directory == self._authority.directory else ""
        order = Order(wanted.host, wanted.key_type, wanted.directory_url, ca_file, account_key)
        key, chain = await place(order, lambda made: self._keep_account(wanted.store, made), publish_challenge)
        issued = IssuedCertificate.parse(key=key, chain=chain)
        try:
            wanted.store.write(wanted.file_name, issued)
            self._unsaved.pop(wanted, None)
        except OSError as problem:
            self._unsaved[wanted] = issued
            path = str(wanted.store.path)
            log("ERROR", "Unable to save certificate", path=path, error=str(problem), remedy=_WRITABLE)
        return issued

    def _account_key(self, store: CertificateStore) -> str:
        return store.account_key() or self._unsaved_accounts.get(store.path, "")

    def _keep_account(self, store: CertificateStore, key: str) -> None:
        try:
            store.write_account_key(key)
        except OSError as problem:
            self._unsaved_accounts[store.path] = key
            log("ERROR", "Unable to save account", path=str(store.path), error=str(problem), remedy=_WRITABLE)
