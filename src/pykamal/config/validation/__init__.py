"""Whether a document is a valid configuration: the schema, the rules of each section, the rules across sections."""

from __future__ import annotations

from pykamal.config.document import Document
from pykamal.config.problems import refusal_of_all
from pykamal.config.system import System
from pykamal.config.validation.cross_rules import cross_findings
from pykamal.config.validation.finding import Finding
from pykamal.config.validation.order import in_file_order, ruby_first
from pykamal.config.validation.section_rules import section_findings
from pykamal.config.validation.structure import structural_findings


def validate(document: Document, destination: str | None, system: System) -> None:
    """Raises one ConfigurationError with every problem, in file order.

    Its message is the problem that Ruby Kamal reports, which stops at the first in its own order (spec/config.md 2.4).
    """
    findings = structural_findings(document.root)
    findings += section_findings(document.root, findings)
    findings += cross_findings(document.root, findings, destination, system)
    if not findings:
        return
    first = ruby_first(findings, document.root)
    problems = [finding.problem(document.lines) for finding in in_file_order(findings)]
    raise refusal_of_all(problems, first.ruby_message or first.message, first.label)


__all__ = ["Finding", "validate"]
