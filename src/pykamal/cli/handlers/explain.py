"""`kamal explain [IDENTIFIER...]` prints what a diagnostic means and what to do about it."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.prefix_match import suggestion
from pykamal.core.catalogue import rules
from pykamal.core.catalogue.reference import as_text, overview
from pykamal.core.errors import UsageError
from pykamal.events import Result


def explain(invocation: Invocation) -> int:
    """Print the entries of the catalogue that the arguments name; without arguments list all."""
    known = rules()
    entries = []
    for argument in invocation.arguments:
        rule = known.get(argument.lower().strip("[]"))
        if rule is None:
            near = suggestion(argument, known)
            raise UsageError(f"No diagnostic has the identifier {argument}", hint=near or "`kamal explain` lists all.")
        entries.append(as_text(rule))
    invocation.bus.emit(Result(text="\n\n\n".join(entries) or overview()))
    return 0
