"""`kamal deploy`, `redeploy` and `setup` (spec/cli.md 13.1 to 13.3)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.operations import deploy

_FLOWS = {"deploy": deploy.deploy, "redeploy": deploy.redeploy, "setup": deploy.setup}


def run(invocation: Invocation) -> int:
    flow = _FLOWS[invocation.command]
    return operate(invocation, lambda context: flow(context, **invocation.own("skip_push", "no_cache")))
