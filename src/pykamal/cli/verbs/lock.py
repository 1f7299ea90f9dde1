"""`kamal lock ...` (spec/cli.md 8.4)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.operations.hosts import lock


def run(invocation: Invocation) -> int:
    match invocation.name:
        case "acquire":
            return operate(invocation, lambda context: lock.acquire(context, **invocation.own("message")))
        case "release":
            return operate(invocation, lock.release)
    return operate(invocation, lock.status)
