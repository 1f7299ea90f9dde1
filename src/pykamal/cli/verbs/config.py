"""`kamal config`: how deploy.yml is understood (spec/cli.md 18.1)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from pykamal.cli.invocation import Invocation
from pykamal.cli.operate import load, operate
from pykamal.cli.refusal import called_with
from pykamal.cli.table import entry
from pykamal.commands.flags import log_flags
from pykamal.commands.words import render
from pykamal.config import load as load_config
from pykamal.config.explanation import Explanation, explained
from pykamal.config.findings_report import as_json, as_sarif
from pykamal.config.schema import editor_schema
from pykamal.config.show import config_document, resolved_document
from pykamal.core.errors import ConfigurationError, UsageError
from pykamal.events import Result
from pykamal.operations.context import Context
from pykamal.operations.local_outside import LocalOutside


def run(invocation: Invocation) -> int:
    if invocation.arguments:
        action = _ACTIONS.get(invocation.arguments[0])
        if action is None:
            raise called_with(entry("config"), invocation.arguments)
        return action(invocation)
    if key := invocation.options["explain"]:
        return _explain(invocation, key)
    if invocation.options["resolved"]:
        return _told(invocation, resolved_document(load(invocation).config))
    return operate(invocation, _show, connects=False)


async def _show(context: Context) -> None:
    flags = [render(word, shown=True) for word in log_flags(context.config.logging)]
    context.bus.emit(Result(text=config_document(context.config, context.version, flags).rstrip("\n")))


def _told(invocation: Invocation, text: str) -> int:
    invocation.bus.emit(Result(text=text.rstrip("\n")))
    return 0


def _schema(invocation: Invocation) -> int:
    return _told(invocation, json.dumps(editor_schema(), indent=2, ensure_ascii=False))


def _validate(invocation: Invocation) -> int:
    """Exit code 1 for a configuration that cannot be used. Machines get one document instead of events."""
    path, form = Path(invocation.options["config_file"]), invocation.options["output"]
    if form == "text":
        load(invocation)
        return _told(invocation, f"{path} is valid.")
    try:
        config = load_config(path, destination=invocation.options["destination"], outside=LocalOutside())
        error, warnings = None, config.warnings
    except ConfigurationError as refusal:
        error, warnings = refusal, ()
    report = as_sarif(error) if form == "sarif" else as_json(error, warnings)
    sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return 0 if error is None else error.exit_code


def _explain(invocation: Invocation, key: str) -> int:
    document = load(invocation).config.document
    assert document is not None, "a loaded configuration has its document"
    explanation = explained(document, key)
    if not explanation.known and not explanation.written:
        raise UsageError(f"deploy.yml has no key {explanation.path}", hint="`kamal docs` prints all keys.")
    return _told(invocation, "\n".join(_explanation_lines(explanation)))


def _explanation_lines(explanation: Explanation) -> list[str]:
    shown = yaml.safe_dump({explanation.path: explanation.value}, sort_keys=False, allow_unicode=True).rstrip("\n")
    where = f"Set at {explanation.position}." if explanation.written else "Not set."
    default = "" if explanation.default is None else f" Default: {json.dumps(explanation.default, ensure_ascii=False)}."
    lines = [shown] if explanation.written or explanation.default is not None else [f"{explanation.path}:"]
    return [*lines, f"{where}{default}", *filter(None, [explanation.description])]


_ACTIONS: Final[dict[str, Callable[[Invocation], int]]] = {"schema": _schema, "validate": _validate}
