"""`kamal build ...` (spec/cli.md 15)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import operate
from pykamal.operations import build

_FLOWS = {"deliver": build.deliver, "details": build.details, "pull": build.pull}


def run(invocation: Invocation) -> int:
    if invocation.name == "push":
        return operate(invocation, lambda context: build.push(context, **invocation.own("output", "no_cache")))
    return operate(invocation, _FLOWS[invocation.name], connects=invocation.name != "details")
