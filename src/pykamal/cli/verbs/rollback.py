"""`kamal rollback VERSION` (spec/cli.md 13.4)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import operate
from pykamal.operations import rollback


def run(invocation: Invocation) -> int:
    (version,) = invocation.arguments
    return operate(invocation, lambda context: rollback.rollback(context, version=version))
