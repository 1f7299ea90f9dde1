"""`kamal registry ...` (spec/cli.md 14.9)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.core.errors import UsageError
from pykamal.operations.images import registry

_FLOWS = {"login": registry.login, "logout": registry.logout, "remove": registry.remove, "setup": registry.setup}


def run(invocation: Invocation) -> int:
    """Hosts are connected to when their turn comes: a local registry needs none of them."""
    if invocation.options["skip_local"] and invocation.options["skip_remote"]:
        raise UsageError("--skip-local and --skip-remote together leave nothing to do")
    flow = _FLOWS[invocation.name]
    options = invocation.own("skip_local", "skip_remote")
    return operate(invocation, lambda context: flow(context, **options), connects=False)
