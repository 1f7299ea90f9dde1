"""`kamal proxy ...` (spec/cli.md 14.7)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import in_terminal, operate
from pykamal.cli.prompt import confirmed
from pykamal.cli.words import log_options
from pykamal.operations import proxy

_FLOWS = {
    "boot": proxy.boot,
    "details": proxy.details,
    "restart": proxy.restart,
    "start": proxy.start,
    "stop": proxy.stop,
}


def run(invocation: Invocation) -> int:
    match invocation.name:
        case "logs":
            return _logs(invocation)
        case "reboot":
            if not confirmed(invocation, "This will cause a brief outage on each host. Are you sure?"):
                return 0
            return operate(invocation, lambda context: proxy.reboot(context, **invocation.own("rolling")))
        case "remove":
            return operate(invocation, lambda context: proxy.remove(context, **invocation.own("force")))
    return operate(invocation, _FLOWS[invocation.name])


def _logs(invocation: Invocation) -> int:
    options = log_options(invocation)
    if invocation.options["follow"]:
        return in_terminal(invocation, lambda context: proxy.following(context, **options))
    return operate(invocation, lambda context: proxy.logs(context, **options))
