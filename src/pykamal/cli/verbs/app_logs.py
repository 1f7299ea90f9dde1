"""`kamal app logs` (spec/cli.md 14.5)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import in_terminal, operate
from pykamal.cli.words import log_options
from pykamal.operations.app import logs


def run(invocation: Invocation) -> int:
    options = log_options(invocation)
    if invocation.options["follow"]:
        return in_terminal(invocation, lambda context: logs.following(context, **options))
    return operate(invocation, lambda context: logs.logs(context, **options))
