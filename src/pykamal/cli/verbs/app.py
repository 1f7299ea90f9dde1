"""`kamal app ...`, but for `exec` and `logs`, which have modules of their own (spec/cli.md 12.2)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import operate
from pykamal.operations import app, app_removal

_FLOWS = {
    "boot": app.boot,
    "containers": app.containers,
    "details": app.details,
    "images": app.images,
    "live": app.live,
    "remove": app_removal.remove,
    "remove_app_directories": app_removal.remove_app_directories,
    "remove_containers": app_removal.remove_containers,
    "remove_images": app_removal.remove_images,
    "start": app.start,
    "stop": app.stop,
    "version": app.version,
}


def run(invocation: Invocation) -> int:
    match invocation.name:
        case "maintenance":
            options = invocation.own("drain_timeout", "message")
            return operate(invocation, lambda context: app.maintenance(context, **options))
        case "remove_container":
            (version,) = invocation.arguments
            return operate(invocation, lambda context: app_removal.remove_container(context, version=version))
        case "stale_containers":
            return operate(invocation, lambda context: app.stale_containers(context, **invocation.own("stop")))
    return operate(invocation, _FLOWS[invocation.name])
