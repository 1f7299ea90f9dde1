"""`kamal prune ...` (spec/cli.md 14.10)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.operations.hosts import prune


def run(invocation: Invocation) -> int:
    match invocation.name:
        case "containers":
            return operate(invocation, lambda context: prune.prune_containers(context, **invocation.own("retain")))
        case "images":
            return operate(invocation, prune.prune_images)
    return operate(invocation, prune.prune_all)
