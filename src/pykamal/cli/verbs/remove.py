"""`kamal remove` (spec/cli.md 13.6)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import operate
from pykamal.cli.prompt import confirmed
from pykamal.operations import removal


def run(invocation: Invocation) -> int:
    if not confirmed(invocation, "This will remove all containers and images. Are you sure?"):
        return 0
    return operate(invocation, removal.remove)
