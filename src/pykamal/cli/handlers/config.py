"""`kamal config` shows and checks the configuration (spec/cli.md 18.1)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import yaml

from pykamal.cli.command_lookup import called_with
from pykamal.cli.config_checks import hidden_aliases, missing_ssh_files, placeholders, undefined_secrets
from pykamal.cli.invocation import Invocation
from pykamal.cli.loading import load
from pykamal.cli.machine_reports import print_report, silent
from pykamal.cli.options import OUTPUT
from pykamal.cli.safe_mode import explaining_safety, safe_system
from pykamal.cli.safe_mode import warnings as safety_warnings
from pykamal.cli.table import command_row
from pykamal.commands.flags import log_flags
from pykamal.commands.words import render
from pykamal.config import load as load_config
from pykamal.config.explanation import Explanation, explain
from pykamal.config.models import Config
from pykamal.config.psych_emitter import dumped
from pykamal.config.schema import editor_schema
from pykamal.config.show import config_document, config_fields, plain_data, resolved_root
from pykamal.core.catalogue.secrets import UNSET_VARIABLE
from pykamal.core.diagnostic_report import text_lines
from pykamal.core.diagnostics import Diagnostic
from pykamal.core.errors import ConfigurationError, UsageError
from pykamal.core.printable import json_text, print_error, print_line
from pykamal.operations.local.local_context import version_here
from pykamal.operations.local.local_system import LocalSystem, SafeSystem
from pykamal.operations.selection import select
from pykamal.secrets.declared import Declared
from pykamal.secrets.providers import check_providers
from pykamal.secrets.store import Secrets

UNKNOWN_VERSION: Final = "unknown"
"""With `--safe` Git is not asked either."""


def config(invocation: Invocation) -> int:
    action = _action(invocation)
    form = invocation.options["output"]
    if form not in OUTPUT.choices and action is not _validate:
        raise UsageError(f"--output {form} is for `kamal config validate`")
    try:
        return action(invocation)
    except ConfigurationError as error:
        if not invocation.json:
            raise
        return print_report(invocation, error.diagnostics) or error.exit_code


def _action(invocation: Invocation) -> Callable[[Invocation], int]:
    if invocation.arguments:
        action = _ACTIONS.get(invocation.arguments[0])
        if action is None:
            raise called_with(command_row("config"), invocation.arguments)
        return action
    if invocation.options["explain"]:
        return _explain
    return _resolved if invocation.options["resolved"] else _show


def _show(invocation: Invocation) -> int:
    config = _config(invocation)
    options = invocation.options
    select(config, hosts=options["hosts"], roles=options["roles"], primary=options["primary"])  # a filter must match
    version = options["version"] or (UNKNOWN_VERSION if safe_system(invocation) else version_here(config))
    if invocation.json:
        return _written(plain_data(config_fields(config, version, _log_flags(config))))
    return _print_lines(config_document(config, version, _log_flags(config)))


def _log_flags(config: Config) -> list[str]:
    return [render(word, shown=True) for word in log_flags(config.logging)]


def _resolved(invocation: Invocation) -> int:
    root = resolved_root(_config(invocation))
    return _written(plain_data(root)) if invocation.json else _print_lines(dumped(root))


def _config(invocation: Invocation) -> Config:
    system = safe_system(invocation)
    with explaining_safety(invocation, system):
        return load(silent(invocation) if invocation.json else invocation, system).config


def _written(document: object) -> int:
    print_line(json_text(document, indent=2))
    return 0


def _print_lines(text: str) -> int:
    print_line(text.rstrip())
    return 0


def _schema(_: Invocation) -> int:
    return _written(editor_schema())


def _validate(invocation: Invocation) -> int:
    """Check the configuration; exit code 1 where it cannot be used. Machines get one document instead of events."""
    options = invocation.options
    path, form = Path(options["config_file"]), options["output"]
    system = safe_system(invocation)
    error: ConfigurationError | None = None
    warnings = safety_warnings(invocation) if system is not None else []
    try:
        with explaining_safety(invocation, system):
            config = load_config(path, destination=options["destination"], system=system or LocalSystem())
        secrets = _secrets(config, system)
        check_providers(config, imports_others=system is None)
        if _may_read(secrets, system):
            secrets.refuse_duplicates()
        warnings += [each.quoting(config.lines) for each in _warnings(config, secrets, system)]
    except ConfigurationError as raised:
        if form == "text":
            raise
        error = raised
    refused = bool(warnings) and options["strict"]
    if form == "text":
        for warning in warnings:
            print_error("\n".join(text_lines([warning], "warning: ")))
        counted = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
        _print_lines(f"{path} has {counted}, which --strict refuses." if refused else f"{path} is valid.")
        return int(refused)
    print_report(invocation, [*(error.diagnostics if error is not None else ()), *warnings])
    return error.exit_code if error is not None else int(refused)


def _secrets(config: Config, system: SafeSystem | None) -> Secrets:
    environment = {**os.environ, **config.loaded_environment} if system is None else system.environment
    return Secrets(config.secrets_path, config.destination, environment=environment, declared=Declared(config))


def _may_read(secrets: Secrets, system: SafeSystem | None) -> bool:
    return system is None or all(system.may_read(Path(file)) for file in secrets.files)


def _warnings(config: Config, secrets: Secrets, system: SafeSystem | None) -> Iterator[Diagnostic]:
    """Check what loading does not. With --safe no file of this machine outside of the project is looked for."""
    yield from config.warnings
    yield from hidden_aliases(config)
    if system is None:
        yield from missing_ssh_files(config)
    if _may_read(secrets, system):
        yield from undefined_secrets(config, secrets)
        hidden = () if system is None else (UNSET_VARIABLE.identifier,)  # of what --safe hides nothing is known
        yield from (each for each in secrets.remarks() if each.identifier not in hidden)
    yield from placeholders(config)


def _explain(invocation: Invocation) -> int:
    document = _config(invocation).document
    assert document is not None, "a loaded configuration has its document"
    explanation = explain(document, invocation.options["explain"])
    if not explanation.known and not explanation.written:
        raise UsageError(f"deploy.yml has no key {explanation.path}", hint="`kamal docs` prints all keys.")
    if invocation.json:
        return _written(explanation.as_json())
    return _print_lines("\n".join(_explanation_lines(explanation)))


def _explanation_lines(explanation: Explanation) -> list[str]:
    shown = yaml.safe_dump({explanation.path: explanation.value}, sort_keys=False, allow_unicode=True).rstrip("\n")
    where = f"Set at {explanation.position}." if explanation.written else "Not set."
    default = "" if explanation.default is None else f" Default: {json.dumps(explanation.default, ensure_ascii=False)}."
    lines = [shown] if explanation.written or explanation.default is not None else [f"{explanation.path}:"]
    return [*lines, f"{where}{default}", *filter(None, [explanation.description])]


_ACTIONS: Final[dict[str, Callable[[Invocation], int]]] = {"schema": _schema, "validate": _validate}
