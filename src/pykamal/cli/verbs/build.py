"""`kamal build ...` (spec/cli.md 15)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import operate
from pykamal.operations.images import build, builders, dev, pull

_FLOWS = {
    "create": builders.create,
    "deliver": build.deliver,
    "details": builders.details,
    "dev": dev.dev,
    "pull": pull.pull,
    "push": build.push,
    "remove": builders.remove,
}
_ON_HOSTS = frozenset({"deliver", "pull"})


def run(invocation: Invocation) -> int:
    flow = _FLOWS[invocation.name]
    options = invocation.own("output", "no_cache") if invocation.name in ("dev", "push") else {}
    return operate(invocation, lambda context: flow(context, **options), connects=invocation.name in _ON_HOSTS)
