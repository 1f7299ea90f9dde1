"""`kamal completion SHELL`: print the script that completes command lines in a shell."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pykamal.cli.completion
from pykamal.cli.completion.answer import SHELLS
from pykamal.cli.invocation import Invocation
from pykamal.cli.prefix_match import suggestion
from pykamal.core.errors import UsageError
from pykamal.events import Result

_SCRIPTS: Final = Path(pykamal.cli.completion.__file__).parent / "scripts"


def print_script(invocation: Invocation) -> int:
    (shell,) = invocation.arguments
    if shell not in SHELLS:
        hint = suggestion(shell, SHELLS) or f"Shells: {', '.join(SHELLS)}"
        raise UsageError(f"No completion for {shell}", hint=hint)
    invocation.bus.emit(Result(text=(_SCRIPTS / f"kamal.{shell}").read_text().rstrip("\n")))
    return 0
