"""The socket on which nginx asks for certificates and approvals (kamal/control_client.lua): a line of JSON each way."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

from pykamal.proxy.acme.manager import CertificateManager, Refusal
from pykamal.proxy.contract import CONTROL_SOCKET
from pykamal.proxy.errors import ProxyError


async def open_socket(run_directory: Path, certificates: CertificateManager) -> asyncio.Server:
    """Starts answering.

    A question is {ask: certificate or approval, service, host, key_type}, an answer {ok, again_in}, where `again_in`
    seconds are how long a refusal holds. There is no answer to what is no question, nor while nginx is away.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, ValueError, LookupError, ProxyError):
            refusal = await _ask(certificates, json.loads(await reader.readline()))
            reply = {"ok": refusal is None, "again_in": refusal.again_in if refusal else 0}
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()

    path = run_directory / CONTROL_SOCKET
    path.unlink(missing_ok=True)
    return await asyncio.start_unix_server(answer, path, backlog=1024)


async def _ask(certificates: CertificateManager, question: dict[str, Any]) -> Refusal | None:
    if question["ask"] == "approval":
        return await certificates.allows(question["service"], question["host"])
    return await certificates.provide(question["service"], question["host"], question["key_type"])
