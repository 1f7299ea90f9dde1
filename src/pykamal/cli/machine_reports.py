"""Reports of checks for machines: one document instead of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pykamal.cli.invocation import Invocation
from pykamal.core.diagnostic_report import report
from pykamal.core.diagnostics import Diagnostic
from pykamal.core.printable import print_line
from pykamal.events import Bus


def silent(invocation: Invocation) -> Invocation:
    """Return the command line without events: machines get one document. Warnings go to standard error."""
    return replace(invocation, bus=Bus(), options={**invocation.options, "output": "text"})


def print_report(invocation: Invocation, diagnostics: Sequence[Diagnostic], bus: Bus | None = None) -> int:
    """Print the diagnostics in the form of `--output`, and return 0. `bus` knows what is to be hidden in them."""
    options = invocation.options
    if document := report(options["output"], diagnostics, options["config_file"]):
        print_line((bus or invocation.bus).sanitized_text(document))
    return 0
