"""Collects the leaks that a search finds, and the places that it could not search."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pykamal.core.catalogue.leaks import LEAKED_KEY, LEAKED_SECRET, NOT_EXAMINED, NOT_SEARCHED_FOR, POSSIBLE_TOKEN
from pykamal.core.diagnostics import Diagnostic, Location, Severity
from pykamal.core.printable import printable
from pykamal.core.source import Position
from pykamal.operations.secret_scan.searched_values import SearchedValues
from pykamal.operations.secret_scan.searcher import Hit, Read, Searcher
from pykamal.operations.secret_scan.waivers import Waivers

_MOST_IN_A_PLACE: Final = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Something that is searched: a file, a version of a file, a part of an image.

    `name` is how waivers call it. Diagnostics are at `file` or in `image`; `within` says more, such as the commit.
    """

    name: str
    file: str | None = None
    image: str | None = None
    within: str = ""


@dataclass
class LeakReport:
    """The leaks found so far. `counted` has how much was searched, by kind, and `searched` the names of files."""

    searcher: Searcher
    waivers: Waivers = Waivers()
    counted: Counter[str] = field(default_factory=Counter)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    searched: set[str] = field(default_factory=set)
    _known: set[tuple[object, ...]] = field(default_factory=set)

    def search(self, read: Read, place: Place) -> None:
        """Search a stream. After many leaks in one place the rest of it is left out, and that is told."""
        leaks = 0
        for hit in self.searcher.search(read):
            known = (place.file or place.name, hit.secret, hit.key, hit.line)
            if known in self._known:
                continue  # the same line of the same file in another version
            self._known.add(known)
            diagnostic = self._leak(hit, place)
            self.diagnostics.append(diagnostic)
            leaks += diagnostic.waiver is None
            if leaks >= _MOST_IN_A_PLACE:
                self.not_examined(place, f"after {leaks} leaks the rest is left out")
                return

    def not_examined(self, place: Place, reason: str) -> None:
        """Note that something was not searched, which then has not passed."""
        named = place.file or place.name
        within = f" {place.within}" if place.within else ""
        diagnostic = NOT_EXAMINED.diagnostic(
            f"{named}{within}: not searched: {reason}",
            Location(Position(place.file) if place.file else None, image=place.image),
        )
        self._add(diagnostic, place)

    def came_with(self, first: int, commit: str | None) -> None:
        """Add the commit to the diagnostics from `first` on."""
        evidence = () if commit is None else (f"the commit {commit[:12]} has added or removed this version",)
        self.diagnostics[first:] = [replace(each, evidence=evidence) for each in self.diagnostics[first:]]

    def no_image(self, image: str) -> None:
        """Note that there is no image to search, which is as it should be before a build."""
        message = f"{image} is not on this machine, so no image is searched"
        self.diagnostics.append(replace(NOT_EXAMINED.diagnostic(message), severity=Severity.NOTE))

    def values(self, searched: SearchedValues) -> None:
        """Note which values are not searched for."""
        for name, reason in searched.left_out.items():
            self.diagnostics.append(NOT_SEARCHED_FOR.diagnostic(f"{name} is not searched for: {reason}"))

    @property
    def failed(self) -> tuple[Diagnostic, ...]:
        """The leaks that nobody has accepted."""
        return tuple(each for each in self.diagnostics if each.severity is Severity.ERROR and each.waiver is None)

    @property
    def unexamined(self) -> tuple[Diagnostic, ...]:
        """The places that were not searched, as far as nobody has accepted that."""
        return tuple(
            each
            for each in self.diagnostics
            if each.identifier == NOT_EXAMINED.identifier and each.severity is Severity.WARNING and each.waiver is None
        )

    def sorted(self) -> Sequence[Diagnostic]:
        """Errors first, then warnings, then what is accepted or a note."""
        weights = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
        found = [*self.diagnostics, *self.waivers.remarks]
        return sorted(found, key=lambda each: weights[each.severity] if each.waiver is None else 3)

    def _leak(self, hit: Hit, place: Place) -> Diagnostic:
        if hit.key is None:
            rule, what = LEAKED_SECRET, f"the value of {hit.secret} stands here, {hit.form}"
        else:
            rule, what = (LEAKED_KEY if hit.key.certain else POSSIBLE_TOKEN), f"{hit.key.name} stands here"
        inside = "" if place.file else f"{place.name}: "
        within = f", {place.within}" if place.within else ""
        position = Position(place.file, hit.line, hit.column) if place.file else None
        diagnostic = rule.diagnostic(f"{inside}{what}{within}", Location(position, image=place.image))
        names = (rule.identifier, *([hit.secret] if hit.secret is not None else []))
        return replace(diagnostic, waiver=hit.waiver or self.waivers.reason(place.name, names))

    def _add(self, diagnostic: Diagnostic, place: Place) -> None:
        reason = self.waivers.reason(place.name, (diagnostic.identifier,))
        self.diagnostics.append(replace(diagnostic, waiver=reason))


def shown_name(name: bytes) -> str:
    """A name of a file as text of one line: bytes that are no UTF-8 and control characters become escapes."""
    text = printable(name.decode("utf-8", "backslashreplace"))
    return re.sub(r"[\n\r\t]", lambda found: f"\\x{ord(found[0]):02x}", text)
