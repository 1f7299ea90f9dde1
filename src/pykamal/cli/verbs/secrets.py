"""`kamal secrets print` and `extract` (spec/cli.md 16.2)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import load
from pykamal.events import Result
from pykamal.secrets import helpers


def run(invocation: Invocation) -> int:
    if invocation.name == "extract":
        invocation.bus.emit(Result(text=helpers.extract(*invocation.arguments)))
    else:
        for name, value in load(invocation).secrets.all().items():
            invocation.bus.emit(Result(text=f"{name}={value.reveal()}"))
    return 0
