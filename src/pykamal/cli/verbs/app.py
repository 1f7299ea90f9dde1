"""`kamal app ...`, but for `exec` and `logs`, which have modules of their own (spec/cli.md 12.2)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.operations.app import lifecycle, removal

_FLOWS = {
    "boot": lifecycle.boot,
    "containers": lifecycle.containers,
    "details": lifecycle.details,
    "images": lifecycle.images,
    "live": lifecycle.live,
    "remove": removal.remove,
    "remove_app_directories": removal.remove_app_directories,
    "remove_containers": removal.remove_containers,
    "remove_images": removal.remove_images,
    "start": lifecycle.start,
    "stop": lifecycle.stop,
    "version": lifecycle.version,
}


def run(invocation: Invocation) -> int:
    match invocation.name:
        case "maintenance":
            options = invocation.own("drain_timeout", "message")
            return operate(invocation, lambda context: lifecycle.maintenance(context, **options))
        case "remove_container":
            (version,) = invocation.arguments
            return operate(invocation, lambda context: removal.remove_container(context, version=version))
        case "stale_containers":
            return operate(invocation, lambda context: lifecycle.stale_containers(context, **invocation.own("stop")))
    return operate(invocation, _FLOWS[invocation.name])
