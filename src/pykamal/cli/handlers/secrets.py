"""`kamal secrets`: `fetch`, `extract` and `print` (spec/cli.md 16.2), and `check`, which Ruby Kamal does not have.

`fetch` and `extract` read no configuration, since secrets files call them while it is being read.
"""

from __future__ import annotations

import sys

from pykamal.cli.invocation import Invocation
from pykamal.cli.loading import load
from pykamal.cli.machine_reports import print_report, silent
from pykamal.core.diagnostic_report import text_lines
from pykamal.core.diagnostics import Severity
from pykamal.core.errors import ConfigurationError
from pykamal.core.printable import print_error, print_line
from pykamal.events import Result
from pykamal.secrets import helpers
from pykamal.secrets.adapters.lent_values import Lease
from pykamal.secrets.credentials import known_credentials


def fetch(invocation: Invocation) -> int:
    options = invocation.options
    leases: list[Lease] = []
    invocation.bus.hide(known_credentials)
    document = helpers.fetch(
        invocation.arguments,
        adapter_name=options["adapter"],
        account=options["account"],
        source=options["from"],
        leases=leases,
    )
    for lease in leases:  # standard output is for the values alone
        print_error(str(lease))
    return _show(invocation, helpers.shell_escaped(document) if options["inline"] else document)


def extract(invocation: Invocation) -> int:
    return _show(invocation, helpers.extract(*invocation.arguments))


def print_all(invocation: Invocation) -> int:
    for name, value in load(invocation).secrets.all().items():
        _show(invocation, f"{name}={value.reveal()}")
    return 0


def check(invocation: Invocation) -> int:
    """Tell what does not resolve. The exit code is 1 for an error, with `--strict` for a warning too."""
    from pykamal.operations.secrets.check import check

    options = invocation.options
    form = options["output"]
    loading = silent(invocation) if form != "text" else invocation
    try:
        loaded = load(loading)
        checked = check(loaded.config, loaded.secrets)
    except ConfigurationError as error:
        if form == "text":
            raise
        print_report(invocation, error.diagnostics)
        return error.exit_code
    failed = checked.failed or (options["strict"] and checked.diagnostics)
    if form != "text":
        print_report(invocation, checked.diagnostics, loading.bus)
        return 1 if failed else 0
    for each in checked.diagnostics:
        prefix = "" if each.severity is Severity.ERROR else f"{each.severity.value}: "
        print_error(invocation.bus.sanitized_text("\n".join(text_lines([each], prefix))))
    number, file = len(checked.names), options["config_file"]
    if failed:
        print_line(f"Not all of the {number} secrets that {file} names can be used.")
    else:
        print_line(f"All {number} secrets that {file} names resolve.")
    return 1 if failed else 0


def _show(invocation: Invocation, text: str) -> int:
    """Print a secret: as it is for a program, filtered for a terminal."""
    invocation.bus.emit(Result(text=text, verbatim=True, raw=not sys.stdout.isatty()))
    return 0
