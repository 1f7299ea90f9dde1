"""One table of ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`limit` is the largest ratio that the project allows itself; None where nothing was promised."""

    what: str
    unit: str
    ours: float
    peer: float
    limit: float | None = None

    @property
    def ratio(self) -> float:
        return self.ours / self.peer

    @property
    def kept(self) -> bool:
        return self.limit is None or self.ratio <= self.limit


def render(rows: Sequence[Row], *, peer: str) -> str:
    """The table as text; the last column says whether a promise was kept."""
    lines = [f"{'':44}{'pykamal':>12}{peer:>16}{'ratio':>9}{'limit':>8}", "-" * 92]
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:.2f}"
        verdict = "" if row.limit is None else ("  kept" if row.kept else "  MISSED")
        values = f"{row.ours:>8.2f} {row.unit:<3}{row.peer:>12.2f} {row.unit:<3}"
        lines.append(f"{row.what:44}{values}{row.ratio:>9.2f}{limit:>8}{verdict}")
    return "\n".join(lines)
