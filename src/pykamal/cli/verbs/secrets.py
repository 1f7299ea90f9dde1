"""`kamal secrets print` and `extract` (spec/cli.md 16.2)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.events import Result
from pykamal.secrets import helpers


def run(invocation: Invocation) -> int:
    match invocation.name:
        case "extract":
            text = helpers.extract(*invocation.arguments)
        case "print":
            from pykamal.cli.operate import load

            secrets = load(invocation).secrets.all()
            text = "\n".join(f"{name}={value.reveal()}" for name, value in secrets.items())
    invocation.bus.emit(Result(text=text))
    return 0
