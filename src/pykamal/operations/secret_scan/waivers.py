"""The file that accepts what a search finds: `.kamal/scan-ignore`, a line each of place, rule and reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from pykamal.core.catalogue.leaks import UNUSED_WAIVER
from pykamal.core.diagnostics import Diagnostic, Location
from pykamal.core.file_reading import read_regular
from pykamal.core.source import Position

FILE: Final = ".kamal/scan-ignore"
_MOST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Waiver:
    """`place` is a pattern in which `*` stands for any characters; `rule` an identifier, a secret's name or `*`."""

    place: str
    rule: str
    reason: str

    def accepts(self, place: str, names: tuple[str, ...]) -> bool:
        return (self.rule == "*" or self.rule in names) and fnmatchcase(place, self.place)


@dataclass(frozen=True, slots=True)
class Waivers:
    waivers: tuple[Waiver, ...] = ()
    remarks: tuple[Diagnostic, ...] = ()

    def reason(self, place: str, names: tuple[str, ...]) -> str | None:
        """Return the reason of the first waiver that accepts it."""
        return next((each.reason for each in self.waivers if each.accepts(place, names)), None)


def read_waivers(directory: Path = Path()) -> Waivers:
    """Read the project's file. A line without a reason is remarked on and waives nothing."""
    try:
        text = read_regular(directory / FILE, _MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return Waivers()
    parsed = list(_parsed(text))
    return Waivers(
        tuple(each for each in parsed if isinstance(each, Waiver)),
        tuple(each for each in parsed if isinstance(each, Diagnostic)),
    )


def _parsed(text: str) -> Iterator[Waiver | Diagnostic]:
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split(maxsplit=2)
        if not words or line.lstrip().startswith("#"):
            continue
        reason = words[2].lstrip("# ").strip() if len(words) > 2 else ""
        if reason:
            yield Waiver(words[0], words[1], reason)
        else:
            message = "this line has no reason, so it waives nothing"
            yield UNUSED_WAIVER.diagnostic(message, Location(Position(FILE, number)))
