"""`kamal app logs` (spec/cli.md 14.5)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.option_values import log_selection
from pykamal.cli.runner import follow, operate
from pykamal.operations.app import logs


def run(invocation: Invocation) -> int:
    selection, container_id = log_selection(invocation), invocation.own("container_id")
    if invocation.options["follow"]:
        return follow(invocation, lambda context: logs.following(context, selection, **container_id))
    return operate(invocation, lambda context: logs.logs(context, selection, **container_id))
