"""`kamal secrets doctor` shows which secret managers can be used on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.cli.invocation import Invocation
from pykamal.cli.loading import load
from pykamal.cli.machine_reports import silent
from pykamal.core.catalogue.secrets import PROGRAM_NOT_FOUND
from pykamal.core.diagnostic_report import as_json, text_lines
from pykamal.core.diagnostics import Diagnostic
from pykamal.core.printable import json_text, print_line
from pykamal.events import Result
from pykamal.secrets.doctor import Finding, examine, uses_in_files


def doctor(invocation: Invocation) -> int:
    """Show the adapters of the project, then all others. The exit code is 1 where one of the project is not usable."""
    loaded = load(silent(invocation) if invocation.json else invocation)
    findings = examine(list(uses_in_files(loaded.secrets.existing_files)))
    missing = (each for each in loaded.secrets.remarks() if each.identifier == PROGRAM_NOT_FOUND.identifier)
    problems = [*filter(None, (each.diagnostic() for each in findings)), *missing]
    if invocation.json:
        print_line(json_text(_document(findings, problems), indent=2))
    else:
        invocation.bus.emit(Result(text="\n".join(_lines(findings, problems))))
    return int(bool(problems))


def _document(findings: Sequence[Finding], problems: Sequence[Diagnostic]) -> dict[str, object]:
    adapters = [
        {
            "name": each.name,
            "used": each.use is not None,
            "account": each.use.account if each.use is not None else None,
            "usable": each.problem is None,
            "identity": each.identity,
            "problem": each.problem.message if each.problem is not None else None,
            "remedy": each.problem.hint if each.problem is not None else None,
        }
        for each in findings
    ]
    return {"version": 1, "usable": not problems, "adapters": adapters, "diagnostics": as_json(problems)["diagnostics"]}


def _lines(findings: Sequence[Finding], problems: Sequence[Diagnostic]) -> list[str]:
    used = [each for each in findings if each.use is not None]
    others = [each for each in findings if each.use is None]
    width = max(len(each.name) for each in findings)
    lines = ["Adapters of this project:", *(_line(each, width) for each in used)]
    if not used:
        lines = ["No secrets file of this project runs `kamal secrets fetch`."]
    lines += ["", "Other adapters:", *(_line(each, width) for each in others)]
    return [*lines, "", *text_lines(problems)] if problems else lines


def _line(finding: Finding, width: int) -> str:
    if finding.problem is not None:
        state = f"not usable: {finding.problem.message}"
    elif finding.identity is not None:
        state = f"usable as {finding.identity}"
    else:
        state = "usable"
    return f"  {finding.name:{width}}  {state}"
