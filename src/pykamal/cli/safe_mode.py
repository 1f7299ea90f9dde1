"""`--safe`: reading the configuration of others, of which nothing runs and to which the environment is hidden."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pykamal.cli.config_checks import hidden_variables
from pykamal.cli.invocation import Invocation
from pykamal.core.catalogue.files import HIDDEN_VARIABLE
from pykamal.core.diagnostics import Diagnostic, Location
from pykamal.core.errors import ConfigurationError
from pykamal.core.source import Position
from pykamal.operations.local.local_system import SafeSystem


def safe_system(invocation: Invocation) -> SafeSystem | None:
    """Return the system that reads the files with `--safe` or under pre-commit; None for files that are trusted.

    It reads files below the working directory and beside the configuration file alone.
    """
    options = invocation.options
    if not (options["safe"] or options["pass_env"] or os.environ.get("PRE_COMMIT")):
        return None
    folder = Path(options["config_file"]).expanduser().parent
    return SafeSystem(visible=options["pass_env"], roots=[Path.cwd(), folder])


@contextmanager
def explaining_safety(invocation: Invocation, system: SafeSystem | None) -> Iterator[None]:
    """Add to an error of the files that they may only need what they were not given, and how to give it."""
    try:
        yield
    except ConfigurationError as error:
        if system is not None:
            error.hint = " ".join(filter(None, [error.hint, _advice(invocation)]))
        raise


def warnings(invocation: Invocation) -> list[Diagnostic]:
    """Warn of each variable that the files name and do not see."""
    return [
        HIDDEN_VARIABLE.diagnostic(
            f"{name} is hidden by --safe; --pass-env {name} shows it to the file", Location(position)
        )
        for name, position in _hidden(invocation).items()
    ]


def _advice(invocation: Invocation) -> str:
    needed = " ".join(f"--pass-env {name}" for name in _hidden(invocation)) or "--pass-env NAME"
    without = "leave out --safe" if invocation.options["safe"] else "unset PRE_COMMIT"
    return (
        f"With --safe no command runs, and of the environment the file sees what {needed} shows it. "
        f"Where the file is trusted, {without}."
    )


def _hidden(invocation: Invocation) -> dict[str, Position]:
    options = invocation.options
    visible = {*options["pass_env"], "KAMAL_DESTINATION"}
    return hidden_variables(Path(options["config_file"]), options["destination"], visible)
