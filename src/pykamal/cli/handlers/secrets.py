"""`kamal secrets fetch`, `extract` and `print` (spec/cli.md 16.2).

`fetch` and `extract` read no configuration, since secrets files call them while it is being read.
"""

from __future__ import annotations

import sys

from pykamal.cli.invocation import Invocation
from pykamal.cli.loading import load
from pykamal.events import Result
from pykamal.secrets import helpers


def fetch(invocation: Invocation) -> int:
    options = invocation.options
    document = helpers.fetch(
        invocation.arguments,
        adapter_name=options["adapter"],
        account=options["account"],
        source=options["from"],
    )
    return _show(invocation, helpers.shell_escaped(document) if options["inline"] else document)


def extract(invocation: Invocation) -> int:
    return _show(invocation, helpers.extract(*invocation.arguments))


def print_all(invocation: Invocation) -> int:
    for name, value in load(invocation).secrets.all().items():
        _show(invocation, f"{name}={value.reveal()}")
    return 0


def _show(invocation: Invocation, text: str) -> int:
    """Print a secret: as it is for a program, filtered for a terminal."""
    invocation.bus.emit(Result(text=text, verbatim=True, raw=not sys.stdout.isatty()))
    return 0
