"""One table of ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`limit` is the worst ratio that the project allows itself: the largest, or where more is better the smallest.

    None where nothing was promised.
    """

    what: str
    unit: str
    ours: float
    peer: float
    limit: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        return self.ours / self.peer

    @property
    def kept(self) -> bool:
        if self.limit is None:
            return True
        return self.ratio >= self.limit if self.more_is_better else self.ratio <= self.limit


def render(rows: Sequence[Row], *, peer: str) -> str:
    """The table as text; the last column says whether a promise was kept."""
    lines = [f"{'':44}{'pykamal':>12}{peer:>16}{'ratio':>9}{'limit':>10}", "-" * 94]
    for row in rows:
        bound = ">" if row.more_is_better else "<"
        limit = "" if row.limit is None else f"{bound} {row.limit:.2f}"
        verdict = "" if row.limit is None else ("  kept" if row.kept else "  MISSED")
        values = f"{_number(row.ours):>8} {row.unit:<3}{_number(row.peer):>12} {row.unit:<3}"
        lines.append(f"{row.what:44}{values}{row.ratio:>9.2f}{limit:>10}{verdict}")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"
