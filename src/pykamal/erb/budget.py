"""Limits of a template: steps, time, and the sizes of its values.

A template is code of the repository that it stands in. Its functions are linear in what they are given, so a limit on
steps and on sizes bounds them; the clock bounds what the steps cost on a slow machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

MAXIMUM_TEXT: Final = 1024 * 1024
"""The most characters of one string."""

MAXIMUM_ITEMS: Final = 10_000
"""The most items of one array or hash, and turns of one counted loop."""

MAXIMUM_FILE_BYTES: Final = 1024 * 1024
"""The largest file that a template may read, and the largest rendered text."""

MAXIMUM_BITS: Final = 4096
"""The most bits of an integer."""

MAXIMUM_DEPTH: Final = 60
"""The deepest nesting of expressions, calls and arrays."""

_STEPS_BETWEEN_LOOKS: Final = 64
_MUCH: Final = 256
"""The units of one function after which the clock is read."""


class BudgetExceeded(Exception):
    """The template exceeds a limit, which the message names. No `rescue` of a template catches it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Limits:
    """`steps` are expressions and positions that a regular expression tries; `units` are items and sixteen characters
    each that functions go through, all counted over the whole evaluation."""

    steps: int = 200_000
    units: int = 2_000_000
    seconds: float = 5.0


class Budget:
    """Counts what a template uses of its limits. The time starts when the budget is made."""

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._deadline = clock() + self._limits.seconds
        self._steps = 0
        self._units = 0

    def step(self, count: int = 1) -> None:
        """Count steps. Raises BudgetExceeded beyond the limit, or when the time is over."""
        before = self._steps
        self._steps += count
        if self._steps > self._limits.steps:
            raise BudgetExceeded(f"the template takes more than {self._limits.steps:,} steps")
        if self._steps // _STEPS_BETWEEN_LOOKS != before // _STEPS_BETWEEN_LOOKS:
            self.look_at_the_clock()

    def use(self, units: int) -> None:
        """Count units. Raises BudgetExceeded beyond the limit."""
        self._units += units
        if self._units > self._limits.units:
            raise BudgetExceeded(f"the template works on too much data (more than {self._limits.units:,} items)")
        if units > _MUCH:
            self.look_at_the_clock()

    @property
    def units_left(self) -> int:
        return self._limits.units - self._units

    def look_at_the_clock(self) -> None:
        if self._clock() > self._deadline:
            raise BudgetExceeded(f"the template takes longer than {self._limits.seconds:g} seconds")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock while a shell line of the template runs or a person answers its question."""
        started = self._clock()
        try:
            yield
        finally:
            self._deadline += self._clock() - started


def check_text(length: int) -> None:
    """Raise BudgetExceeded for a length that no string may have."""
    if length > MAXIMUM_TEXT:
        raise BudgetExceeded(f"a text becomes longer than {MAXIMUM_TEXT:,} characters")


def check_items(count: int) -> None:
    """Raise BudgetExceeded for a length that no array or hash may have."""
    if count > MAXIMUM_ITEMS:
        raise BudgetExceeded(f"a list becomes longer than {MAXIMUM_ITEMS:,} items")


def check_number(number: int) -> int:
    """Return the number. Raises BudgetExceeded for one that is too large."""
    if number.bit_length() > MAXIMUM_BITS:
        raise BudgetExceeded(f"a number becomes longer than {MAXIMUM_BITS:,} bits")
    return number
