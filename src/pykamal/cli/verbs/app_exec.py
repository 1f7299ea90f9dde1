"""`kamal app exec COMMAND...` (spec/cli.md 14.4)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.option_values import command_line, refuse_together
from pykamal.cli.runner import in_terminal, operate
from pykamal.operations.app.exec import exec_, interactive


def run(invocation: Invocation) -> int:
    refuse_together(invocation, "detach", "interactive", "reuse")
    refuse_together(invocation, "raw", "interactive", "detach")
    command = command_line(invocation.arguments, literal=invocation.literal)
    if invocation.options["interactive"]:
        options = invocation.own("reuse", "env")
        return in_terminal(invocation, lambda context: interactive(context, command=command, **options))
    options = invocation.own("reuse", "env", "detach", "raw")
    return operate(invocation, lambda context: exec_(context, command=command, **options))
