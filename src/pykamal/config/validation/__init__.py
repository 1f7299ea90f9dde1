"""Validation of a document: the schema, the rules of each section, the rules across sections."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pykamal.config.document import Document
from pykamal.config.system import System
from pykamal.config.validation.cross_section import MISSING_STAGES, cross_violations
from pykamal.config.validation.per_section import section_violations
from pykamal.config.validation.ruby_precedence import in_file_order, ruby_first
from pykamal.config.validation.shell_rules import shell_violations
from pykamal.config.validation.structure import structural_violations
from pykamal.core.catalogue.settings import KAMAL_1_KEY, UNKNOWN_KEY
from pykamal.core.errors import ConfigurationError

_KAMAL_1: Final = (
    "This file was written for Kamal 1. Change these keys (`kamal docs` describes today's); "
    "`kamal upgrade` then moves the servers."
)
_UNKNOWN: Final = "`kamal docs SECTION` lists every key of a section."


def validate(document: Document, destination: str | None, system: System, incomplete: str | None = None) -> None:
    """Raise one ConfigurationError with every diagnostic, in file order.

    Its message is the one that Ruby Kamal prints, which stops at the first in its own order (spec/config.md 2.4).
    `incomplete` is the advice where something that must be there is missing.
    """
    violations = structural_violations(document.root)
    violations += section_violations(document.root, violations)
    violations += cross_violations(document.root, violations, destination, system)
    violations += shell_violations(document.root)
    if not violations:
        return
    first = ruby_first(violations, document.root)
    rules = {violation.rule for violation in violations}
    hint = _UNKNOWN if UNKNOWN_KEY in rules else None
    if incomplete is not None and any(violation.stage in MISSING_STAGES for violation in violations):
        hint = incomplete
        violations = [replace(each, remedy=hint) if each.stage in MISSING_STAGES else each for each in violations]
    if KAMAL_1_KEY in rules:
        hint = _KAMAL_1
    raise ConfigurationError(
        first.ruby_message or first.message,
        diagnostics=[violation.diagnostic(document.lines) for violation in in_file_order(violations)],
        label=first.label,
        hint=hint,
    )
