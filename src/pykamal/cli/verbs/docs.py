"""`kamal docs [SECTION]` (spec/cli.md 18.2)."""

from __future__ import annotations

from pykamal.cli.invocation import Invocation
from pykamal.cli.prefix_match import suggestion
from pykamal.cli.reference import NAMES, reference_text
from pykamal.core.errors import UsageError
from pykamal.events import Result


def run(invocation: Invocation) -> int:
    wanted = invocation.arguments[0].lower() if invocation.arguments else "configuration"
    text = reference_text(wanted)
    if text is None:
        near = suggestion(wanted, NAMES)
        raise UsageError(
            f"No documentation found for {invocation.arguments[0]}", hint=near or f"Sections: {', '.join(NAMES)}"
        )
    invocation.bus.emit(Result(text=text))
    return 0
