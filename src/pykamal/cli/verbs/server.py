"""`kamal server ...` (spec/cli.md 14.1)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.option_values import command_line, refuse_together
from pykamal.cli.runner import in_terminal, operate
from pykamal.operations.hosts import server


def run(invocation: Invocation) -> int:
    if invocation.name == "bootstrap":
        return operate(invocation, server.bootstrap)
    refuse_together(invocation, "raw", "interactive")
    command = command_line(invocation.arguments, literal=invocation.literal)
    if invocation.options["interactive"]:
        return in_terminal(invocation, lambda context: server.interactive(context, command=command))
    return operate(invocation, lambda context: server.exec_(context, command=command, **invocation.own("raw")))
