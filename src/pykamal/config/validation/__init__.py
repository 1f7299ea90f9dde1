"""Whether a document is a valid configuration: the schema, the rules of each section, the rules across sections."""

from __future__ import annotations

from typing import Final

from pykamal.config.document import Document
from pykamal.config.problems import refusal_of_all
from pykamal.config.system import System
from pykamal.config.validation.cross_section import MISSING_STAGES, cross_findings
from pykamal.config.validation.finding import Finding
from pykamal.config.validation.per_section import section_findings
from pykamal.config.validation.ruby_precedence import in_file_order, ruby_first
from pykamal.config.validation.shell_rules import shell_findings
from pykamal.config.validation.structure import FORMER_KEYS, structural_findings

KAMAL_1: Final = (
    "This file was written for Kamal 1. Change these keys (`kamal docs` describes today's); "
    "`kamal upgrade` then moves the servers."
)


def validate(document: Document, destination: str | None, system: System, incomplete: str | None = None) -> None:
    """Raises one ConfigurationError with every problem, in file order.

    Its message is the problem that Ruby Kamal reports, which stops at the first in its own order (spec/config.md 2.4).
    `incomplete` is the advice where something that must be there is missing.
    """
    findings = structural_findings(document.root)
    findings += section_findings(document.root, findings)
    findings += cross_findings(document.root, findings, destination, system)
    findings += shell_findings(document.root)
    if not findings:
        return
    first = ruby_first(findings, document.root)
    hint = incomplete if any(finding.stage in MISSING_STAGES for finding in findings) else None
    if any(finding.note in FORMER_KEYS.values() for finding in findings):
        hint = KAMAL_1
    problems = [finding.problem(document.lines) for finding in in_file_order(findings)]
    raise refusal_of_all(problems, first.ruby_message or first.message, first.label, hint)


__all__ = ["Finding", "validate"]
