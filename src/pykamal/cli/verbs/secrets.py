"""`kamal secrets ...` (spec/cli.md 16.2)."""

from __future__ import annotations

import sys

from pykamal.cli.invocation import Invocation
from pykamal.cli.loading import load
from pykamal.events import Result
from pykamal.secrets import helpers


def run(invocation: Invocation) -> int:
    """`fetch` and `extract` read no configuration: they are called while it is being read, too."""
    match invocation.name:
        case "fetch":
            _show(invocation, _fetched(invocation))
        case "extract":
            _show(invocation, helpers.extract(*invocation.arguments))
        case _:
            for name, value in load(invocation).secrets.all().items():
                _show(invocation, f"{name}={value.reveal()}")
    return 0


def _fetched(invocation: Invocation) -> str:
    options = invocation.options
    document = helpers.fetch(
        invocation.arguments,
        adapter_name=options["adapter"],
        account=options["account"],
        source=options["from"],
    )
    return helpers.shell_escaped(document) if options["inline"] else document


def _show(invocation: Invocation, text: str) -> None:
    """A program gets the secret as it is; a terminal does not obey what is in it."""
    invocation.bus.emit(Result(text=text, verbatim=True, raw=not sys.stdout.isatty()))
