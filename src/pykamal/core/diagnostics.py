"""The one shape in which pykamal reports that something is wrong: in a file, on a host, in an image or a package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from pykamal.core.source import Position, quoted


class Severity(Enum):
    """The weight of a diagnostic. Only errors make a command fail, unless it is told to be strict."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Location:
    """The place that a diagnostic is about, as far as it has one.

    `setting` is a path of deploy.yml (`servers/web/hosts/0`). `quote` is the source line with a caret below it; it is
    left out where the line may hold a secret.
    """

    position: Position | None = None
    setting: str = ""
    host: str | None = None
    image: str | None = None
    package: str | None = None
    quote: str | None = None

    @classmethod
    def in_text(cls, position: Position, source: str) -> Location:
        """The place in a file of which `source` is the text."""
        return cls(position, quote=quoted(source.split("\n"), position))

    def __str__(self) -> str:
        """The place in front of a message. A setting is not in it, since messages name theirs."""
        place = None if self.position is None else str(self.position)
        return ", ".join(part for part in (place, self.host, self.image, self.package) if part)


NOWHERE: Final = Location()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """Something that somebody should know.

    `identifier` names the rule of the catalogue that found it. `message` says what is wrong, `evidence` what shows it.
    `remedy` is what to do in this case; where it is None, the remedy of the catalogue applies. `waiver` is the reason
    for which somebody has accepted the diagnostic; it is then reported and counts no more.
    """

    identifier: str
    severity: Severity
    message: str
    location: Location = NOWHERE
    evidence: tuple[str, ...] = ()
    remedy: str | None = None
    waiver: str | None = None

    def quoting(self, lines: Mapping[str, Sequence[str]]) -> Diagnostic:
        """The diagnostic with its source line out of the lines of the files, by name."""
        position = self.location.position
        if position is None or self.location.quote is not None:
            return self
        quote = quoted(lines.get(position.file, ()), position)
        return replace(self, location=replace(self.location, quote=quote))

    def __str__(self) -> str:
        place = str(self.location)
        return f"{place}: {self.message}" if place else self.message


@dataclass(frozen=True, slots=True)
class Rule:
    """An entry of the catalogue: what the diagnostics of one identifier mean, and what to do about them.

    `example` shows lines of deploy.yml that lead to one, or its message where something else does.
    """

    identifier: str
    title: str
    explanation: str
    remedy: str
    example: str
    severity: Severity = Severity.ERROR

    def diagnostic(
        self,
        message: str,
        location: Location = NOWHERE,
        *,
        evidence: Sequence[str] = (),
        remedy: str | None = None,
    ) -> Diagnostic:
        """A diagnostic of this rule."""
        return Diagnostic(
            identifier=self.identifier,
            severity=self.severity,
            message=message,
            location=location,
            evidence=tuple(evidence),
            remedy=remedy,
        )
