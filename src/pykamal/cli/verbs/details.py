"""`kamal details`: everything that runs, host by host."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.operations import details


def run(invocation: Invocation) -> int:
    return operate(invocation, details.details)
