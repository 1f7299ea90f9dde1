"""`kamal config`: how deploy.yml is understood (spec/cli.md 18.1)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import operate
from pykamal.commands.flags import log_flags
from pykamal.commands.words import render
from pykamal.config.show import config_document
from pykamal.events import Result
from pykamal.operations.context import Context


def run(invocation: Invocation) -> int:
    return operate(invocation, _show, connects=False)


async def _show(context: Context) -> None:
    flags = [render(word, shown=True) for word in log_flags(context.config.logging)]
    context.bus.emit(Result(text=config_document(context.config, context.version, flags).rstrip("\n")))
