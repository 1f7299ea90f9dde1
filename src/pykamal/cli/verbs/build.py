"""`kamal build ...` (spec/cli.md 15)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.core.errors import UsageError
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
    builds = invocation.name in ("dev", "push")
    if builds and invocation.json:
        raise UsageError(
            f"kamal {invocation.command} has no JSON: its --output is Docker's, such as registry, docker or local",
            hint="`kamal deploy --output json` builds and tells about it in JSON",
        )
    options = invocation.own("output", "no_cache") if builds else {}
    return operate(invocation, lambda context: flow(context, **options), connects=invocation.name in _ON_HOSTS)
