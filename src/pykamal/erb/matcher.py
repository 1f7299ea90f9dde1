"""Matches compiled regular expressions against texts, in steps that a budget counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pykamal.erb.budget import Budget

if TYPE_CHECKING:
    from pykamal.erb.regexps import Instruction, Program

_STEPS_AT_ONCE: Final = 256
_COST: Final = 8
"""The number of tried positions that cost one step of the budget."""

Slots = tuple[int, ...]


class Matching:
    """The state that regular expressions of one template share: the budget, and the last match (`$~`)."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.last: Match | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Ruby's MatchData: the span of a match in a text and those of its groups, -1 for groups without a match."""

    text: str
    slots: Slots
    names: dict[str, list[int]]

    def group(self, number: int) -> str | None:
        if not 0 <= number < len(self.slots) // 2:
            return None
        start, end = self.slots[2 * number], self.slots[2 * number + 1]
        return None if start < 0 or end < 0 else self.text[start:end]

    def named(self, name: str) -> str | None:
        """Return the text of the last matched group with that name. Raises KeyError."""
        groups = [self.group(number) for number in self.names[name]]
        return next((group for group in reversed(groups) if group is not None), None)

    @property
    def groups(self) -> list[str | None]:
        return [self.group(number) for number in range(1, len(self.slots) // 2)]

    @property
    def start(self) -> int:
        return self.slots[0]

    @property
    def end(self) -> int:
        return self.slots[1]


@dataclass(frozen=True, slots=True)
class Regexp:
    """A regular expression of a template."""

    source: str
    flags: str
    program: Program = field(compare=False)
    matching: Matching = field(compare=False)

    def search(self, text: str, start: int = 0) -> Match | None:
        """Return the first match from `start` on. Raises BudgetExceeded."""
        slots = _Run(self.program.instructions, text, self.matching.budget).search(start, self.program)
        self.matching.last = None if slots is None else Match(text, slots, self.program.names)
        return self.matching.last

    def matches(self, text: str) -> list[Match]:
        """Yield matches that do not overlap; after an empty one the search moves on by a character."""
        found: list[Match] = []
        position = 0
        while position <= len(text) and (match := self.search(text, position)) is not None:
            found.append(match)
            position = match.end if match.end > match.start else match.end + 1
        self.matching.last = found[-1] if found else None
        return found

    def __str__(self) -> str:
        chosen = "".join(flag for flag in "mix" if flag in self.flags)
        others = "".join(flag for flag in "mix" if flag not in self.flags)
        return f"(?{chosen}{'-' if others else ''}{others}:{self.source})"


class _Run:
    """One search. A split that was tried at a place is not tried there again: it failed, or its match was taken.

    So each instruction runs at most once at each place, whatever the pattern, and whatever the start of the search.
    """

    def __init__(self, instructions: tuple[Instruction, ...], text: str, budget: Budget) -> None:
        self._code = instructions
        self._text = text
        self._budget = budget
        self._tried: set[int] = set()
        self._steps = 0

    def search(self, start: int, program: Program) -> Slots | None:
        empty: Slots = (-1,) * (2 * program.groups + 2)
        position = start
        while position <= len(self._text):
            if program.first is not None:
                position = self._text.find(program.first, position)
                if position < 0:
                    break
            found = self._from(position, empty, None)
            if found is not None:
                self._count(1)
                return found[1]
            position += 1
        self._count(1)
        return None

    def _from(  # noqa: PLR0912 - one branch an instruction
        self, start: int, slots: Slots, must_end: int | None
    ) -> tuple[int, Slots] | None:
        """Return end and groups of the match that starts here and, with `stop`, ends there."""
        text, length, width = self._text, len(self._text), len(self._code)
        waiting: list[tuple[int, int, Slots]] = [(0, start, slots)]
        while waiting:
            index, position, slots = waiting.pop()
            while True:
                self._steps += 1
                if self._steps >= _STEPS_AT_ONCE:
                    self._count(1)
                instruction = self._code[index]
                match instruction[0]:
                    case "test":
                        if position >= length or not instruction[1](text[position]):
                            break
                        position += 1
                    case "split":
                        key = position * width + index
                        if key in self._tried:
                            break
                        self._tried.add(key)
                        waiting.append((instruction[2], position, slots))
                        index = instruction[1]
                        continue
                    case "jump":
                        index = instruction[1]
                        continue
                    case "save":
                        slots = (*slots[: instruction[1]], position, *slots[instruction[1] + 1 :])
                    case "position":
                        if not self._is_at(instruction[1], position):
                            break
                    case "look":
                        seen, slots = self._looks(instruction, position, slots)
                        if not seen:
                            break
                    case _:
                        if must_end is not None and position != must_end:
                            break
                        return position, slots
                index += 1
        return None

    def _count(self, least: int) -> None:
        self._budget.step(max(least, self._steps // _COST))
        self._steps = 0

    def _is_at(self, kind: str, position: int) -> bool:
        text, length = self._text, len(self._text)
        match kind:
            case "start":
                return position == 0
            case "end":
                return position == length
            case "last line end":
                return position == length or (position == length - 1 and text[position] == "\n")
            case "line start":
                return position == 0 or (text[position - 1] == "\n" and position < length)
            case "line end":
                return position == length or text[position] == "\n"
        before = position > 0 and _is_word(text[position - 1])
        after = position < length and _is_word(text[position])
        return (before is not after) is (kind == "boundary")

    def _looks(self, instruction: Instruction, position: int, slots: Slots) -> tuple[bool, Slots]:
        _, code, positive, widths = instruction
        run = _Run(code, self._text, self._budget)
        found: Any = None
        if widths is None:
            found = run._from(position, slots, None)
        else:
            for width in range(widths[0], min(widths[1], position) + 1):
                run._tried.clear()
                found = run._from(position - width, slots, position)
                if found is not None:
                    break
        run._count(1)
        taken = found[1] if found is not None and positive else slots
        return (found is not None) is positive, taken


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
