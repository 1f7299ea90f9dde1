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
from pykamal.secrets.doctor import Examination, examine, uses_in_configuration, uses_in_files


def doctor(invocation: Invocation) -> int:
    """Show the adapters of the project, then all others. The exit code is 1 where one of the project is not usable."""
    loading = silent(invocation) if invocation.json else invocation
    loaded = load(loading)
    uses = (*uses_in_configuration(loaded.config), *uses_in_files(loaded.secrets.existing_files))
    examinations = examine(uses)
    missing = (each for each in loaded.secrets.remarks() if each.identifier == PROGRAM_NOT_FOUND.identifier)
    problems = [*filter(None, (each.diagnostic() for each in examinations)), *missing]
    if invocation.json:
        print_line(loading.bus.sanitized_text(json_text(_document(examinations, problems), indent=2)))
    else:
        invocation.bus.emit(Result(text="\n".join(_lines(examinations, problems))))
    return 1 if problems else 0


def _document(examinations: Sequence[Examination], problems: Sequence[Diagnostic]) -> dict[str, object]:
    adapters = [
        {
            "name": each.name,
            "adapter": each.use.adapter if each.use is not None else each.name,
            "used": each.use is not None,
            "account": each.use.account if each.use is not None else None,
            "usable": each.problem is None if each.known else None,
            "identity": each.identity,
            "problem": each.problem.message if each.problem is not None else None,
            "remedy": each.problem.hint if each.problem is not None else None,
        }
        for each in examinations
    ]
    return {"version": 1, "usable": not problems, "adapters": adapters, "diagnostics": as_json(problems)["diagnostics"]}


def _lines(examinations: Sequence[Examination], problems: Sequence[Diagnostic]) -> list[str]:
    used = [each for each in examinations if each.use is not None]
    others = [each for each in examinations if each.use is None]
    width = max(len(each.name) for each in examinations)
    lines = ["Adapters of this project:", *(_line(each, width) for each in used)]
    if not used:
        lines = ["This project names no adapter."]
    lines += ["", "Other adapters:", *(_line(each, width) for each in others)]
    return [*lines, "", *text_lines(problems)] if problems else lines


def _line(examination: Examination, width: int) -> str:
    if examination.problem is not None:
        state = f"not usable: {examination.problem.message}"
    elif examination.identity is not None:
        state = f"usable as {examination.identity}"
    elif examination.installed:
        state = "installed: only a fetch can tell whether it is usable"
    elif not examination.known:
        state = "not examined: only a fetch can tell"
    else:
        state = "usable"
    return f"  {examination.name:{width}}  {state}"
