"""`kamal registry ...` (spec/cli.md 14.9)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import operate
from pykamal.operations import registry

_FLOWS = {"login": registry.login, "logout": registry.logout}


def run(invocation: Invocation) -> int:
    flow = _FLOWS[invocation.name]
    return operate(invocation, lambda context: flow(context, **invocation.own("skip_local", "skip_remote")))
