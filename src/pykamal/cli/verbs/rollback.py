"""`kamal rollback VERSION`, or without a version what there is to roll back to (spec/cli.md 13.4)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.operations import rollback


def run(invocation: Invocation) -> int:
    if not invocation.arguments:
        return operate(invocation, rollback.show_versions)
    (version,) = invocation.arguments
    return operate(invocation, lambda context: rollback.rollback(context, version=version))
