"""The cases of the suite: values that have to arrive as they are, what is not there, and faults of the manager."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias
from unittest import SkipTest

from pykamal.core.errors import DependencyError
from pykamal.secrets.conformance.harness import Fault, Harness
from pykamal.secrets.conformance.outcome import NotConformant, fetch

Stored: TypeAlias = Mapping[str, str | bytes]

ORDER: Final = "order of the answer"


@dataclass(frozen=True, slots=True)
class Case:
    """A rule with a name, which `Harness.not_applicable` may give."""

    name: str
    rule: Callable[[Harness], None]

    def check(self, harness: Harness) -> None:
        """Raise `NotConformant` when the adapter breaks the rule, and `unittest.SkipTest` where it cannot apply."""
        unknown = set(harness.not_applicable) - {case.name for case in CASES}
        if unknown:
            raise NotConformant(f"not_applicable has names of no case: {', '.join(sorted(unknown))}")
        reason = harness.not_applicable.get(self.name)
        if reason is not None:
            if not reason.strip():
                raise NotConformant(f"not_applicable has no reason for {self.name!r}")
            raise SkipTest(f"{self.name}: {reason}")
        try:
            self.rule(harness)
        except NotImplementedError:
            raise NotConformant(
                f"the harness can neither do what the case {self.name!r} needs, nor has it in not_applicable"
            ) from None

    def __str__(self) -> str:
        return self.name


def _random() -> str:
    return secrets.token_hex(10)


def _arrives(make: Callable[[], str | bytes], harness: Harness) -> None:
    """The value arrives exactly as it was stored."""
    stored: Stored = {"one": make()}
    harness.store(stored)
    fetch(harness, [harness.name("one")], stored.values()).expect_values(_by_key(harness, stored), ordered=True)


def _arrives_or_is_refused(make: Callable[[], str | bytes], harness: Harness) -> None:
    """The value arrives exactly as it was stored, or an error tells why it cannot."""
    stored: Stored = {"one": make()}
    harness.store(stored)
    outcome = fetch(harness, [harness.name("one")], stored.values())
    if outcome.error is not None:
        outcome.expect_error("a value that cannot be had")
    else:
        outcome.expect_values(_by_key(harness, stored), ordered=True)


def _order(harness: Harness) -> None:
    """The answer has the order of the question, whatever the order in the manager."""
    stored: Stored = {short: _random() for short in ("one", "two", "three", "four", "five")}
    asked: Stored = {short: stored[short] for short in ("four", "one", "five", "three", "two")}
    harness.store(stored)
    found = fetch(harness, [harness.name(short) for short in asked], stored.values())
    found.expect_values(_by_key(harness, asked), ordered=True)


def _two_hundred(harness: Harness) -> None:
    """All of many values arrive, in order."""
    stored: Stored = {f"n{number}": f"{number}-{_random()}" for number in range(200)}
    harness.store(stored)
    found = fetch(harness, [harness.name(short) for short in stored], stored.values())
    found.expect_values(_by_key(harness, stored), ordered=ORDER not in harness.not_applicable)


def _number_of_requests(harness: Harness) -> None:
    """A fetch of many secrets takes no more requests or processes than the harness says."""
    stored: Stored = {f"n{number}": _random() for number in range(41)}
    harness.store(stored)
    most, before = harness.most_requests(len(stored)), harness.requests()
    found = fetch(harness, [harness.name(short) for short in stored], stored.values())
    found.expect_values(_by_key(harness, stored), ordered=False)
    requests = harness.requests() - before
    if not 0 < requests <= most:
        raise NotConformant(f"{len(stored)} secrets took {requests} requests or processes, and may take {most}")


def _missing(name: Callable[[Harness], str], harness: Harness) -> None:
    """A secret or a field that is not there is an error that names it, never an empty value or an answer without it."""
    stored: Stored = {"one": _random()}
    harness.store(stored)
    outcome = fetch(harness, [harness.name("one"), name(harness)], stored.values())
    error = outcome.expect_error("something that the manager does not have")
    if "missing" not in "\n".join((error.message, *error.details, error.hint or "")):
        raise NotConformant(f"the error does not name what is missing: {error.message}")


def _fault(fault: Fault, harness: Harness) -> None:
    """A fault is an error with a hint."""
    stored: Stored = {"one": _random(), "two": _random()}
    harness.store(stored)
    harness.cause(fault)
    outcome = fetch(harness, [harness.name("one"), harness.name("two")], stored.values())
    error = outcome.expect_error(fault)
    if fault is Fault.MISSING_TOOL:
        if not isinstance(error, DependencyError):
            raise NotConformant(f"missing tool: the error is a {type(error).__name__} and not a DependencyError")
        if "install" not in (error.hint or ""):
            raise NotConformant("missing tool: the hint does not say how to install it")


def _by_key(harness: Harness, stored: Stored) -> Stored:
    return {harness.key(short): value for short, value in stored.items()}


def _around(text: str) -> Callable[[], str]:
    return lambda: f"{_random()}{text}{_random()}"


EXACT: Final[Mapping[str, Callable[[], str | bytes]]] = {
    "plain text": _random,
    "line breaks": lambda: f"\n{_random()}\r\n\n{_random()}\n",
    "quotes": _around("'\"`''\"\"\\'\\\""),
    "dollar signs": _around("$HOME ${HOME} $(id) $$ `id` \\n"),
    "white space": lambda: f" \t{_random()}  \t",
    "not ASCII": _around("ü € 🔑 \u2028"),
    "empty value": lambda: "",
    "one megabyte": lambda: secrets.token_hex(500_000),
}
"""Values that arrive exactly as they were stored."""

ODD: Final[Mapping[str, Callable[[], str | bytes]]] = {
    "NUL byte": _around("\0"),
    "not UTF-8": lambda: f"{_random()}".encode() + b"\xff\xc3\x28" + f"{_random()}".encode(),
}
"""Values that not every manager can hold, which arrive as they were stored, or as an error."""

CASES: Final = (
    *(Case(name, partial(_arrives, make)) for name, make in EXACT.items()),
    *(Case(name, partial(_arrives_or_is_refused, make)) for name, make in ODD.items()),
    Case(ORDER, _order),
    Case("two hundred at once", _two_hundred),
    Case("number of requests", _number_of_requests),
    Case("missing secret", partial(_missing, lambda harness: harness.missing_secret())),
    Case("missing field", partial(_missing, lambda harness: harness.missing_field())),
    *(Case(str(fault), partial(_fault, fault)) for fault in Fault),
)
