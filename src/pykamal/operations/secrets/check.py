"""Checks that every secret that the configuration names resolves. No host is touched, and no value is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pykamal.config.models import Config
from pykamal.config.secret_names import SecretUse, secret_uses
from pykamal.core.catalogue.files import MISSING_SECRET, SECRET_COMMAND_FAILED
from pykamal.core.catalogue.secrets import EMPTY_SECRET, UNRESOLVED_SECRET
from pykamal.core.diagnostics import Diagnostic, Location, Severity
from pykamal.core.errors import KamalError
from pykamal.core.source import Position
from pykamal.core.spelling import nearest
from pykamal.secrets.store import Attempt, Secrets


@dataclass(frozen=True, slots=True)
class Checked:
    """The names that the configuration has, and what is wrong."""

    names: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def failed(self) -> int:
        """Return how many of the diagnostics are errors."""
        return sum(each.severity is Severity.ERROR for each in self.diagnostics)


def check(config: Config, secrets: Secrets) -> Checked:
    """Fetch everything, and return what does not resolve, all of it at once, with what values lose."""
    uses: dict[str, list[SecretUse]] = {}
    for use in secret_uses(config):
        uses.setdefault(use.name, []).append(use)
    attempt = secrets.attempt()
    remarks = (
        _severe(each) if each.identifier == SECRET_COMMAND_FAILED.identifier else each for each in attempt.remarks
    )
    found = [*_named(uses, attempt, secrets), *_others(uses, attempt), *remarks]
    return Checked(tuple(uses), tuple(found))


def _named(uses: dict[str, list[SecretUse]], attempt: Attempt, secrets: Secrets) -> Iterator[Diagnostic]:
    """Yield an error for each name of the configuration that does not resolve."""
    for name, places in uses.items():
        evidence = tuple(f"{use.position}: {use.setting} names it" for use in places)
        if name in attempt.failures:
            yield _failure(name, *attempt.failures[name], evidence)
        elif name in attempt.empty:
            location = Location(attempt.empty[name], places[0].setting)
            yield EMPTY_SECRET.diagnostic(f"{name} is empty", location, evidence=evidence)
        elif name not in attempt.values:
            message = f"the secret {name} is not defined in {' or '.join(secrets.files)}"
            near = nearest(name, attempt.values)
            location = Location(places[0].position, places[0].setting)
            remedy = f"Did you mean {near}?" if near is not None else None
            yield _severe(MISSING_SECRET.diagnostic(message, location, evidence=evidence[1:], remedy=remedy))


def _others(uses: dict[str, list[SecretUse]], attempt: Attempt) -> Iterator[Diagnostic]:
    """Yield an error for each other entry that fails: it ends the reading of the file for every command."""
    for name, (position, error) in attempt.failures.items():
        if name not in uses:
            yield _failure(name, position, error, ())


def _severe(warning: Diagnostic) -> Diagnostic:
    return replace(warning, severity=Severity.ERROR)


def _failure(name: str, position: Position | None, error: KamalError, evidence: tuple[str, ...]) -> Diagnostic:
    return UNRESOLVED_SECRET.diagnostic(
        f"{name} cannot be fetched: {error.message}",
        Location(position),
        evidence=(*error.details, *evidence),
        remedy=error.hint,
    )
