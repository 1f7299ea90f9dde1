"""`kamal app logs` (spec/cli.md 14.5)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import in_terminal, operate
from pykamal.cli.words import log_options
from pykamal.operations import app_logs


def run(invocation: Invocation) -> int:
    options = log_options(invocation)
    if invocation.options["follow"]:
        return in_terminal(invocation, lambda context: app_logs.following(context, **options))
    return operate(invocation, lambda context: app_logs.logs(context, **options))
