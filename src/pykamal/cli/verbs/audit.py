"""`kamal audit`: the last lines of every host's audit log."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.runner import operate
from pykamal.operations.hosts import audit


def run(invocation: Invocation) -> int:
    return operate(invocation, audit.show)
