"""How much a template may take: steps, time, and the size of what it makes.

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
"""Characters of one text."""

MAXIMUM_ITEMS: Final = 10_000
"""Items of one list or map, and turns of one counted loop."""

MAXIMUM_FILE_BYTES: Final = 1024 * 1024
"""Of a file that a template reads, and of the text that it renders to."""

MAXIMUM_BITS: Final = 4096
"""Of a whole number."""

MAXIMUM_DEPTH: Final = 60
"""Expressions, calls of methods, and lists inside each other."""

_STEPS_BETWEEN_LOOKS: Final = 64
_MUCH: Final = 256
"""Units after which the clock is looked at: a function that goes through that much may take long."""


class BudgetExceeded(Exception):
    """The template takes more than it may; the message names the limit. No `rescue` of a template sees it."""

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
    """What is left of the limits. The time starts when it is made."""

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._deadline = clock() + self._limits.seconds
        self._steps = 0
        self._units = 0

    def step(self, count: int = 1) -> None:
        """Raises BudgetExceeded beyond the steps, or the time."""
        before = self._steps
        self._steps += count
        if self._steps > self._limits.steps:
            raise BudgetExceeded(f"the template takes more than {self._limits.steps:,} steps")
        if self._steps // _STEPS_BETWEEN_LOOKS != before // _STEPS_BETWEEN_LOOKS:
            self.look_at_the_clock()

    def use(self, units: int) -> None:
        """Raises BudgetExceeded beyond the units."""
        self._units += units
        if self._units > self._limits.units:
            raise BudgetExceeded(f"the template works on too much data (more than {self._limits.units:,} items)")
        if units > _MUCH:
            self.look_at_the_clock()

    @property
    def steps_taken(self) -> int:
        return self._steps

    @property
    def units_left(self) -> int:
        return self._limits.units - self._units

    def look_at_the_clock(self) -> None:
        if self._clock() > self._deadline:
            raise BudgetExceeded(f"the template takes longer than {self._limits.seconds:g} seconds")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time in here does not count: a shell line of the template runs, or a person answers its question."""
        started = self._clock()
        try:
            yield
        finally:
            self._deadline += self._clock() - started


def check_text(length: int) -> None:
    """Raises BudgetExceeded for a text that would become longer than a text may be."""
    if length > MAXIMUM_TEXT:
        raise BudgetExceeded(f"a text becomes longer than {MAXIMUM_TEXT:,} characters")


def check_items(count: int) -> None:
    """Raises BudgetExceeded for a list or a map that would become longer than it may be."""
    if count > MAXIMUM_ITEMS:
        raise BudgetExceeded(f"a list becomes longer than {MAXIMUM_ITEMS:,} items")


def check_number(number: int) -> int:
    """The number. Raises BudgetExceeded for one that is too large."""
    if number.bit_length() > MAXIMUM_BITS:
        raise BudgetExceeded(f"a number becomes longer than {MAXIMUM_BITS:,} bits")
    return number
