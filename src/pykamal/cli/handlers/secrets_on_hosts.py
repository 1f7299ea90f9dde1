"""`kamal secrets diff` and `rotate`: what the hosts have of secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from pykamal.cli.invocation import Invocation
from pykamal.cli.machine_reports import silent
from pykamal.cli.runner import operate
from pykamal.core.printable import json_text, print_line
from pykamal.events import Result
from pykamal.operations.context import Context
from pykamal.operations.secrets import rotate as rotating
from pykamal.operations.secrets.diff import Row, State, compare

DIFFERENT: Final = 4
"""Exit code where a host has something else than the managers hold."""


def diff(invocation: Invocation) -> int:
    """Show what differs. The exit code is 0 where nothing does, 4 otherwise, and 1 where it cannot be told."""
    rows: list[Row] = []

    async def flow(context: Context) -> None:
        rows.extend(await compare(context))

    operate(silent(invocation) if invocation.json else invocation, flow)
    different = any(row.counts for row in rows)
    if invocation.json:
        print_line(json_text(_document(rows), indent=2))
    else:
        invocation.bus.emit(Result(text=_table(rows)))
    return DIFFERENT if different else 0


def _document(rows: Sequence[Row]) -> dict[str, object]:
    fields = ("host", "part", "place", "name")
    listed = [{**{each: getattr(row, each) for each in fields}, "state": row.state.value} for row in rows]
    return {"version": 1, "same": not any(row.counts for row in rows), "secrets": listed}


def _table(rows: Sequence[Row]) -> str:
    """The rows that are not the same, and how many of each state there are."""
    counted = Counter(row.state for row in rows)
    total = ", ".join(f"{counted[state]} {state.value}" for state in State if counted[state]) or "no secrets"
    shown = [(row.host, row.part, row.place, row.name, row.state.value) for row in rows if row.state is not State.SAME]
    table = [("HOST", "OF", "PLACE", "NAME", "STATE"), *shown] if shown else []
    widths = [max(len(line[column]) for line in table) for column in range(4)] if table else []
    lines = (
        "  ".join([*(f"{cell:{width}}" for cell, width in zip(line, widths, strict=False)), line[4]]) for line in table
    )
    return "\n".join([*lines, total])


def rotate(invocation: Invocation) -> int:
    names = list(dict.fromkeys(invocation.arguments))
    return operate(invocation, lambda context: rotating.rotate(context, names=names))
