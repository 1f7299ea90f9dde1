"""The control plane's side of an order: starts acme/order.py, keeps what it makes, publishes its challenge."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

LIMIT_S = 150.0
_LINE_LIMIT_BYTES = 1024 * 1024
_PACKAGES = Path(__file__).parents[3]
_PROCESS = "import sys; sys.path.insert(0, sys.argv[1]); from pykamal.proxy.acme.acme_client import main; main()"


@dataclass(frozen=True, slots=True)
class Order:
    """`directory` is the authority's address; `ca_file` a bundle that it is verified by (the system's when empty);
    `account_key` in PEM, empty for a new account; `key_type` is `ecdsa` or `rsa`."""

    host: str
    key_type: str
    directory: str
    ca_file: str
    account_key: str


class OrderFailed(Exception):
    """`kind` is the authority's own word or one of: unreachable, unavailable, validation, timeout, account, protocol,
    missing. `wait_s` is for how long the authority wants to be left alone, 0 when it does not say."""

    def __init__(self, kind: str, detail: str, wait_s: float = 0) -> None:
        super().__init__(detail or kind)
        self.kind, self.wait_s = kind, wait_s


async def place(
    order: Order, keep_account: Callable[[str], None], publish_challenge: Callable[[str, str], Awaitable[None]]
) -> tuple[str, str]:
    """Private key and chain in PEM. `publish_challenge` gets token and answer. Raises OrderFailed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", _PROCESS, str(_PACKAGES)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LINE_LIMIT_BYTES,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    try:
        async with asyncio.timeout(LIMIT_S):
            process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
            async for line in process.stdout:
                event = json.loads(line)
                match event["event"]:
                    case "account":
                        keep_account(event["key"])
                    case "challenge":
                        await publish_challenge(event["token"], event["text"])
                    case "issued":
                        return event["key"], event["chain"]
                    case _:
                        raise OrderFailed(event["kind"], event["detail"], float(event.get("wait_s", 0)))
                process.stdin.write(b"\n")
            raise _broken_off(await complaints)
    except TimeoutError:
        raise OrderFailed("timeout", f"the order was not finished within {LIMIT_S:.0f} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        complaints.cancel()


def _broken_off(complaints: bytes) -> OrderFailed:
    lines = complaints.decode(errors="replace").strip().splitlines() or ["the process ended without a word"]
    return OrderFailed("missing" if "ModuleNotFoundError" in lines[-1] else "protocol", lines[-1])
