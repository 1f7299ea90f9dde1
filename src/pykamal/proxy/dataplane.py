"""Client of nginx for the control plane: small JSON calls over the admin unix socket (kamal/admin.lua)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pykamal.proxy.contract import ADMIN_SOCKET
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.targets import Target

_PATIENCE_S = 15.0
_RETRY_S = 0.05
_ANSWER_S = 2.0
"""A call that takes longer was accepted by a worker that hangs; another one takes the next."""
_TABLE_S = 15.0
"""The limit for the whole table of services."""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests in flight and upgraded connections (WebSockets) of targets, over all workers."""

    in_flight: int = 0
    upgraded: int = 0

    def __bool__(self) -> bool:
        return bool(self.in_flight or self.upgraded)


class DataPlane:
    """`run_directory` is the one that nginx was started with."""

    def __init__(self, run_directory: str) -> None:
        self._socket = f"{run_directory}/{ADMIN_SOCKET}"

    async def publish(self, documents: dict[str, str], removed: Iterable[str], *, complete: bool = False) -> None:
        """Installs service documents (name -> JSON text) and removals at once, in all workers.

        `complete` also removes every service that is not among `documents`. Waits while nginx restarts; raises
        ProxyError when it stays away, or when they do not fit; then nothing is changed.
        """
        changed = [{"name": name, "document": text} for name, text in documents.items()]
        request = {"changed": changed, "removed": list(removed), "complete": complete}
        answer = await self._insist("/publish", request, limit_s=_TABLE_S)
        if "problem" in answer:
            raise ProxyError(answer["problem"])

    async def target_ids(self) -> dict[str, list[list[list[str]]]]:
        """TargetSet.ids of the active and the rollout set by service, as a data plane that runs already counts them.

        Empty without one.
        """
        try:
            found: dict[str, list[list[list[str]]]] = await self._call("/targets", {})
        except (OSError, EOFError):
            return {}
        return found

    async def suspects(self) -> set[str]:
        """Ids of targets that failed a request since the last call."""
        try:
            answer = await self._call("/suspects", {})
        except (OSError, EOFError):
            return set()
        return set(answer["targets"])

    async def heartbeats(self) -> dict[int, int]:
        """Return the turns of each worker's event loop, by process id; nothing while nginx is away."""
        try:
            answer = await self._call("/heartbeats", {})
        except (OSError, EOFError):
            return {}
        return {worker["pid"]: worker["beats"] for worker in answer["workers"] if len(worker) == 2}

    async def load(self, targets: Iterable[Target]) -> Load:
        """Return the unfinished load of these targets; nothing when nginx stays away."""
        return await self._load("/in-flight", {"targets": [target.id for target in targets]})

    async def forget(self, targets: Iterable[Target]) -> None:
        """Drops the in-flight counters of targets that will never be asked for again."""
        with contextlib.suppress(OSError, EOFError):
            await self._call("/forget", {"targets": [target.id for target in targets]})

    async def close_upgraded(self, targets: Iterable[Target]) -> Load:
        """Has each worker close the upgraded connections of these targets; returns what they have until then."""
        return await self._load("/end-connections", {"ids": [target.id for target in targets]})

    async def cancel(self, targets: Collection[Target], *, shared_addresses: Collection[str]) -> None:
        """Has each worker cancel what these targets still have, except over addresses that others use as well.

        From now on no request that they had and that has not reached them is sent to them.
        """
        places = [
            {"address": target.address, "port": target.port}
            for target in targets
            if target.address and f"{target.address}:{target.port}" not in shared_addresses
        ]
        await self._load("/end-connections", {"ids": [target.id for target in targets], "targets": places})

    async def install_certificate(self, key: str, *, chain: str, private_key: str, valid_for_s: float) -> None:
        """Hands an issued certificate (PEM) to all workers, under the key that kamal/acme_certificates.lua reads.

        Raises ProxyError when nginx is away.
        """
        request = {"key": key, "chain": chain, "private_key": private_key, "valid_for": valid_for_s}
        await self._insist("/certificate", request, patience_s=0)

    async def publish_challenge(self, token: str, host: str, text: str) -> None:
        """Publish `text` as the answer to this HTTP-01 challenge.

        Waits while nginx restarts; raises ProxyError when it stays away.
        """
        await self._insist("/challenge", {"token": token, "host": host, "text": text})

    async def _load(self, path: str, request: dict[str, Any]) -> Load:
        # The worker that was asked may end without an answer while others still have requests.
        try:
            answer = await self._insist(path, request)
        except ProxyError:
            return Load()
        return Load(int(answer["in_flight"]), int(answer["upgraded"]))

    async def _insist(
        self, path: str, request: dict[str, Any], *, patience_s: float = _PATIENCE_S, limit_s: float = _ANSWER_S
    ) -> Any:
        deadline = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                return await self._call(path, request, limit_s)
            except (OSError, EOFError) as problem:
                if asyncio.get_running_loop().time() >= deadline:
                    raise ProxyError(f"the data plane does not answer: {problem}") from problem
            await asyncio.sleep(_RETRY_S)

    async def _call(self, path: str, request: dict[str, Any], limit_s: float = _ANSWER_S) -> Any:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_unix_connection(self._socket)
            try:
                body = json.dumps(request).encode()
                head = f"POST {path} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
                answer = await reader.read()
            finally:
                writer.close()
        status, _, rest = answer.partition(b"\r\n")
        if b" 200 " not in status + b" ":
            raise EOFError(status.decode("latin-1") or "no answer")
        return json.loads(rest.partition(b"\r\n\r\n")[2])
