"""`kamal upgrade`: from Kamal 1 to Kamal 2 (spec/cli.md 13.7)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.prompt import NOT_CONFIRMED, confirmed
from pykamal.cli.runner import operate
from pykamal.operations import upgrade


def run(invocation: Invocation) -> int:
    if not confirmed(invocation, "This will replace Traefik with kamal-proxy and restart all accessories"):
        return NOT_CONFIRMED
    return operate(invocation, lambda context: upgrade.upgrade(context, **invocation.own("rolling")))
