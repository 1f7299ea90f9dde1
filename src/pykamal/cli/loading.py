"""The configuration that a command line selects. Nothing here needs asyncio or a connection."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pykamal.cli.config_checks import hidden_aliases, mention, missing_ssh_files
from pykamal.cli.invocation import Invocation
from pykamal.cli.table import command_row
from pykamal.config.load import load as load_config
from pykamal.config.models import Config
from pykamal.config.redaction import literal_secrets
from pykamal.core.diagnostics import Diagnostic
from pykamal.core.printable import print_error
from pykamal.events import Tone
from pykamal.operations.local.local_system import LocalSystem, SafeSystem
from pykamal.secrets.declared import Declared
from pykamal.secrets.store import Secrets


@dataclass(frozen=True, slots=True)
class Loaded:
    config: Config
    secrets: Secrets


def load(invocation: Invocation, system: SafeSystem | None = None) -> Loaded:
    """The configuration that the command line selects, and its secrets, not yet read.

    Puts the destination into the environment, where hooks and back-ticks look for it (spec/cli.md 1.4). Where a
    `system` is given, nothing of the files is run, commands in secrets files neither.
    """
    assert command_row(invocation.command).needs_project, f"{invocation.command} is to read no project"
    path = Path(invocation.options["config_file"])
    destination = invocation.options["destination"]
    if destination is None:
        os.environ.pop("KAMAL_DESTINATION", None)
    else:
        os.environ["KAMAL_DESTINATION"] = destination
    config = load_config(path, destination=destination, system=system or LocalSystem())
    if system is None:
        os.environ.update(config.loaded_environment)  # what the template's Dotenv.load loads is there for what follows
    secrets = Secrets(
        config.secrets_path,
        destination,
        environment=os.environ if system is None else system.environment,
        run=None if system is None else lambda _: "",
        declared=Declared(config, fetches=system is None),
        asked_by=lambda name: mention(name, path, destination),
        warn=lambda warning: _warn(invocation, warning),
    )
    assert config.document is not None, "a loaded configuration has its document"
    literal = literal_secrets(config.document)
    invocation.bus.hide(lambda: (*secrets.known(), *literal))
    for warning in (*config.warnings, *hidden_aliases(config), *(missing_ssh_files(config) if system is None else ())):
        _warn(invocation, warning)
    return Loaded(config, secrets)


def _warn(invocation: Invocation, warning: Diagnostic) -> None:
    """Write one line to standard error, so that what a command prints does not change with a warning."""
    text = f"{warning} [{warning.identifier}]"
    if invocation.json:
        invocation.bus.say(text, Tone.WARNING)
    else:
        print_error(invocation.bus.sanitized_text(f"warning: {text}"))
